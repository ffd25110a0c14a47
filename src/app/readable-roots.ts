import { realpath } from "node:fs/promises";
import { isAbsolute } from "node:path";
import type { App } from "../app.js";
import { bucketFolder } from "../domain/bucket-path.js";
import { ConfigError } from "../domain/errors.js";
import { nameSchema } from "../domain/payload.js";
import { STAGED_ROOT } from "../domain/received.js";
import type { ReadableRoots } from "../recognition/resolve-reference.js";
import { rememberedRoots } from "./folder-names.js";
import { stagingFolder } from "./staging.js";

/** The folders that jobs may read: those configured, or else those that run and enqueue have named. */
export async function readableRoots(app: App): Promise<ReadableRoots> {
  const named = new Map(await namedRoots(app.config.roots ?? []));
  named.set(STAGED_ROOT, await stagingFolder(app));
  return { named, folders: app.config.roots === undefined ? await rememberedRoots(app) : [] };
}

/** `name=/folder` as a map, links resolved. @throws ConfigError for an entry that makes no sense */
export async function namedRoots(entries: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const roots = new Map<string, string>();
  for (const entry of entries) {
    const [, name, folder] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
    const object = bucketFolder(folder ?? "");
    if (name !== undefined && object !== null && nameSchema.safeParse(name).success) {
      roots.set(name, object);
      continue;
    }
    if (name === undefined || folder === undefined || !isAbsolute(folder) || !nameSchema.safeParse(name).success) {
      throw new ConfigError(
        "CARDBATCH_ROOTS: takes name=/absolute/folder or name=s3://bucket/prefix, several separated by commas",
      );
    }
    if (name === STAGED_ROOT) throw new ConfigError(`CARDBATCH_ROOTS: ${name} is the name of CARDBATCH_STAGING`);
    const path = await realpath(folder).catch(() => {
      throw new ConfigError(`CARDBATCH_ROOTS: ${name}: there is no folder ${folder}`);
    });
    roots.set(name, path);
  }
  return roots;
}
