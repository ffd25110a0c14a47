import { createHash } from "node:crypto";
import type { ImageKey } from "../../src/domain/image.js";
import { type RequestId, requestId } from "../../src/domain/payload.js";

/** The key of an image that nobody has, a different one for every name. */
export function imageKeyOf(name: string | number): ImageKey {
  return `sha256:${createHash("sha256").update(String(name)).digest("hex")}`;
}

/** A request of a batch, a different one for every name. */
export function requestOf(batch: string, name: string | number): RequestId {
  return requestId(batch, String(name), 0, null);
}
