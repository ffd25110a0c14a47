import { ImageError } from "../domain/errors.js";
import type { RequestId } from "../domain/payload.js";
import type { Keys } from "./keys.js";
import type { Redis } from "./redis.js";

/** So many workers may die while decoding one image; then it is the image. */
const MOST_DEATHS = 3;
const REMEMBERED_MS = 24 * 3600_000;

/**
 * Runs the decoding of a hostile image where a crash of the process is counted: what begins and never ends is a death.
 * @throws ImageError `worker-crashed` instead of beginning once more
 */
export async function guardPreparing<T>(
  redis: Redis,
  keys: Keys,
  request: RequestId,
  decode: () => Promise<T>,
): Promise<T> {
  const key = keys.preparing(request);
  const begun = await redis.incr(key);
  await redis.pexpire(key, REMEMBERED_MS);
  try {
    if (begun > MOST_DEATHS)
      throw new ImageError("worker-crashed", `decoding the image has killed ${MOST_DEATHS} workers`);
    return await decode();
  } finally {
    await redis.del(key);
  }
}
