import { randomBytes } from "node:crypto";
import { mkdir, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { type App, cacheFolder } from "../app.js";
import { inLetters } from "../domain/api-key.js";
import { objectPlace } from "../domain/bucket-path.js";
import { CardbatchError, ImageError } from "../domain/errors.js";
import type { FileReader } from "../image/file-reader.js";
import { digestImage } from "../image/open-image.js";
import { openStaging, type Staging } from "../staging/staging.js";
import { VaultError } from "../vault/vault-error.js";

type Stager = Pick<App, "config" | "surroundings" | "redis" | "keys" | "vault">;

/**
 * Where images that were sent over HTTP wait: a folder of this Redis's own below that of the settings, so that nobody ever sweeps
 * another's. It need not be there.
 */
export async function stagingFolder({ config, surroundings, redis, keys }: Omit<Stager, "vault">): Promise<string> {
  await redis.setnx(keys.staging(), inLetters(randomBytes(8)));
  const name = (await redis.get(keys.staging())) ?? "";
  const base = config.staging ?? join(cacheFolder(surroundings), "staging");
  await mkdir(base, { recursive: true, mode: 0o700 }).catch(() => {});
  return join(await realpath(base).catch(() => base), name);
}

/** @throws CardbatchError `storage-unavailable` */
export async function openStagingOf(app: Stager): Promise<Staging> {
  const { sealStaged, openStaged } = app.vault;
  return openStaging(await stagingFolder(app), { seal: sealStaged, unseal: openStaged });
}

/**
 * Opens images wherever they are: those that are staged are decrypted, and bound in size and place as all others are.
 * @param staged the folder that they are staged in
 */
export function openImages(
  { vault: { openStaged }, files, buckets }: Pick<App, "vault" | "files" | "buckets">,
  staged: () => Promise<string | undefined>,
): FileReader["read"] {
  const withKey = (bytes: Buffer) => ({ bytes, key: digestImage(bytes) });
  return async (path, root, signal) => {
    if (objectPlace(path) !== null) return withKey(await buckets.read(path, signal));
    if (root !== (await staged())) return files.read(path, root, signal);
    try {
      const { bytes } = await files.read(path, root, signal);
      return withKey(openStaged(bytes, basename(path)));
    } catch (error) {
      throw toStagingError(error);
    }
  };
}

/** A staged file that is not here is most likely on another machine, which says nothing of the image. */
function toStagingError(error: unknown): unknown {
  if (error instanceof ImageError && error.code === "image-not-found") {
    return new CardbatchError("staging-unavailable", "the staged image is not in this worker's staging folder");
  }
  if (error instanceof VaultError) {
    return new ImageError("image-corrupt", `the staged image cannot be decrypted (${error.code})`);
  }
  return error;
}
