import { randomBytes } from "node:crypto";
import { access, type FileHandle, link, mkdir, open, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ConfigError } from "../domain/errors.js";
import {
  KEY_BYTES,
  KEY_USES,
  KEYRING_SCHEMA,
  type Keyring,
  type KeyringFile,
  type KeyUse,
  parseKeyring,
} from "./keyring.js";

const OWNER_ONLY = 0o600;
const GROUP_OR_WORLD = 0o077;
const MAX_BYTES = 1024 * 1024;
/** What consumers of the file need to know to use a key of it. */
const ALGORITHMS: Readonly<Record<KeyUse, string>> = { jwe: "A256KW", fingerprint: "HS256", answer: "A256GCM" };

/**
 * @throws ConfigError when there is none, when others than its owner may read it, or when it cannot be used
 */
export async function loadKeyring(path: string): Promise<Keyring> {
  return parseKeyring(await readPrivateFile(path), path);
}

/**
 * Makes a keyring unless there is one, and loads it. Whole or not at all: of many who try at once one makes it, and all get the same.
 * @returns `created` tells whether it was this call that made it
 * @throws ConfigError
 */
export async function createKeyring(
  path: string,
  now: () => Date = () => new Date(),
): Promise<{ readonly keyring: Keyring; readonly created: boolean }> {
  if (await isThere(path)) return { keyring: await loadKeyring(path), created: false };
  const folder = dirname(path);
  const draft = join(folder, `.${basename(path)}.${randomBytes(8).toString("hex")}.tmp`);
  let created: boolean;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeDurably(draft, `${JSON.stringify(newKeyringFile(now()), null, 2)}\n`);
    created = await linkUnlessThere(draft, path);
    await syncFolder(folder);
  } catch (error) {
    throw new ConfigError(`no keyring could be made at ${path}: ${errorCode(error)}; its folder must be writable`);
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  return { keyring: await loadKeyring(path), created };
}

/** Looked at first, since a keyring may well be mounted where nothing can be written. */
async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readPrivateFile(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const { mode, size } = await file.stat();
    if ((mode & GROUP_OR_WORLD) !== 0) {
      throw new ConfigError(`${path} holds keys and others than its owner may read it; run: chmod 600 '${path}'`);
    }
    if (size > MAX_BYTES) throw new ConfigError(`${path} is too large for a keyring`);
    return await file.readFile("utf8");
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    if (errorCode(error) !== "ENOENT") throw new ConfigError(`the keyring ${path} cannot be read: ${errorCode(error)}`);
    throw new ConfigError(
      `there is no keyring at ${path}; make one with \`cardbatch keys init\`, or set CARDBATCH_KEYRING to the one in use`,
    );
  } finally {
    await file?.close();
  }
}

/** Key material comes from the system's generator alone; nobody can hand in another. */
function newKeyringFile(now: Date): KeyringFile {
  return {
    schema: KEYRING_SCHEMA,
    id: `kr_${randomBytes(12).toString("base64url")}`,
    created: now.toISOString(),
    keys: KEY_USES.map((use) => ({
      kid: randomBytes(6).toString("base64url"),
      use,
      kty: "oct",
      alg: ALGORITHMS[use],
      k: randomBytes(KEY_BYTES).toString("base64url"),
      active: true,
    })),
  };
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", OWNER_ONLY);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A second name for the draft: unlike a rename, it never replaces what is there. */
async function linkUnlessThere(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}
