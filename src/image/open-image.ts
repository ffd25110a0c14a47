import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, realpathSync } from "node:fs";
import { sep } from "node:path";
import { CardbatchError, ImageError } from "../domain/errors.js";
import type { ImageKey } from "../domain/image.js";

/** @unit bytes */
export const DEFAULT_MAX_BYTES = 128 * 1024 * 1024;

/** Never waiting for the other end of a pipe, never becoming somebody's terminal. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Only Linux tells what an open descriptor is called. */
const TELLS_NAMES = process.platform === "linux";

export interface OpenImageOptions {
  /** The file must lie in this folder after all links are followed. Its own real path. @default anywhere */
  readonly root?: string;
  /** @unit bytes @default 128 MiB */
  readonly maxBytes?: number;
  /** Memory to read into, where the file fits. @default memory of its own */
  readonly into?: Buffer;
}

/**
 * Reads a file that an attacker may have named or may be exchanging: it is opened first, and where the descriptor, which alone
 * is read from, really leads is held against the root. Elsewhere than on Linux, where descriptors have no names, links are
 * resolved before and after. Messages never hold the path; it may be a card number.
 * It blocks: `file-reader` has it done by threads.
 * @returns the bytes, in memory of their own or at the start of `into`
 * @throws ImageError `image-not-found`, `image-unreadable`, `image-not-a-file`, `image-outside-root`, `image-empty`,
 *   `image-too-large`
 * @throws CardbatchError `storage-unavailable` (worth a retry) when the system has no descriptor or memory left, or storage hangs
 */
export function openImage(path: string, options: OpenImageOptions = {}): Buffer {
  const { root, maxBytes = DEFAULT_MAX_BYTES, into } = options;
  let descriptor: number | undefined;
  try {
    const found = TELLS_NAMES ? path : realpathSync.native(path);
    if (root !== undefined && !TELLS_NAMES) assertInside(root, found);
    descriptor = openSync(found, TELLS_NAMES ? OPEN_FLAGS : OPEN_FLAGS | constants.O_NOFOLLOW);
    if (root !== undefined) assertInside(root, descriptorPath(descriptor, found));
    const size = readSize(descriptor, maxBytes);
    return readAll(descriptor, into !== undefined && size <= into.length ? into.subarray(0, size) : allocate(size));
  } catch (error) {
    throw toImageError(error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** What names an image everywhere: the SHA-256 of its bytes. */
export function digestImage(bytes: Uint8Array): ImageKey {
  return `sha256:${hash("sha256", bytes, "hex")}`;
}

function assertInside(root: string, realPath: string): void {
  const folder = root.endsWith(sep) ? root : root + sep;
  if (!realPath.startsWith(folder)) throw new ImageError("image-outside-root", "the file lies outside of its root");
}

/** Where the opened file really is; elsewhere than on Linux, where its name leads by now. */
function descriptorPath(descriptor: number, realPath: string): string {
  return TELLS_NAMES ? readlinkSync(`/proc/self/fd/${descriptor}`) : realpathSync.native(realPath);
}

function readSize(descriptor: number, maxBytes: number): number {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) throw new ImageError("image-not-a-file", "the path leads to something other than a regular file");
  if (stat.size === 0) throw new ImageError("image-empty", "the file has no bytes");
  if (stat.size > maxBytes) {
    throw new ImageError("image-too-large", `the file has ${stat.size} bytes; at most ${maxBytes} are read`);
  }
  return stat.size;
}

/** In no pool, so that it can be given away. */
function allocate(size: number): Buffer {
  return Buffer.allocUnsafeSlow(size);
}

/** The size seen at first, or less where the file has shrunk since; that is another image, and has another key. */
function readAll(descriptor: number, bytes: Buffer): Buffer {
  let filled = 0;
  while (filled < bytes.length) {
    const count = readSync(descriptor, bytes, filled, bytes.length - filled, filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

/** Transient states of the machine or of its storage, which say nothing about the file. */
const TRANSIENT = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "ESTALE", "ETIMEDOUT"]);

/** Of a system error only its code is kept: its message and its fields hold the path. */
function toImageError(error: unknown): CardbatchError {
  if (error instanceof CardbatchError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "an unknown error";
  if (TRANSIENT.has(code)) return new CardbatchError("storage-unavailable", `reading the file failed with ${code}`);
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
    case "ENAMETOOLONG":
    case "ELOOP":
    case "ERR_INVALID_ARG_VALUE":
      return new ImageError("image-not-found", `no file is where the path leads (${code})`);
    case "ENXIO":
    case "ENODEV":
      return new ImageError("image-not-a-file", `the path leads to a device or socket (${code})`);
    default:
      return new ImageError("image-unreadable", `reading the file failed with ${code}`);
  }
}
