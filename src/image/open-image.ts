import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, open as openWithCallback, read, readlinkSync, realpath } from "node:fs";
import { sep } from "node:path";
import { promisify } from "node:util";
import { CancelledError, CardbatchError, ImageError } from "../domain/errors.js";
import type { ImageKey } from "../domain/image.js";

/** @unit bytes */
export const DEFAULT_MAX_BYTES = 128 * 1024 * 1024;

/** Between two looks at the signal. @unit bytes */
const READ_SIZE = 8 * 1024 * 1024;

/** Never waiting for the other end of a pipe, never becoming somebody's terminal. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Only Linux tells what an open descriptor is called. */
const TELLS_NAMES = process.platform === "linux";

const open = promisify(openWithCallback);
const readAt = promisify(read);
const resolveLinks = promisify(realpath.native);

export interface OpenImageOptions {
  /** The file must lie in this folder after all links are followed. Its own real path. @default anywhere */
  readonly root?: string;
  /** @unit bytes @default 128 MiB */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

export interface OpenedImage {
  readonly bytes: Buffer;
}

/**
 * Reads a file that an attacker may have named or may be exchanging: it is opened first, and where the descriptor, which alone
 * is read from, really leads is held against the root. Elsewhere than on Linux, where descriptors have no names, links are
 * resolved before and after. Messages never hold the path; it may be a card number.
 * What may wait for storage is asynchronous; what asks the kernel about a descriptor is not, since a trip to the thread
 * pool costs more than the answer: altogether as fast as `readFile`.
 * @throws ImageError `image-not-found`, `image-unreadable`, `image-not-a-file`, `image-outside-root`, `image-empty`,
 *   `image-too-large`
 * @throws CardbatchError `internal` (worth a retry) when the system has no descriptor or memory left, or storage hangs
 * @throws CancelledError when the signal fires
 */
export async function openImage(path: string, options: OpenImageOptions = {}): Promise<OpenedImage> {
  const { root, maxBytes = DEFAULT_MAX_BYTES, signal } = options;
  let descriptor: number | undefined;
  try {
    throwIfAborted(signal);
    const found = TELLS_NAMES ? path : await resolveLinks(path);
    if (root !== undefined && !TELLS_NAMES) assertInside(root, found);
    descriptor = await open(found, TELLS_NAMES ? OPEN_FLAGS : OPEN_FLAGS | constants.O_NOFOLLOW);
    if (root !== undefined) assertInside(root, await descriptorPath(descriptor, found));
    const size = readSize(descriptor, maxBytes);
    return { bytes: await readAll(descriptor, size, signal) };
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
async function descriptorPath(descriptor: number, realPath: string): Promise<string> {
  return TELLS_NAMES ? readlinkSync(`/proc/self/fd/${descriptor}`) : resolveLinks(realPath);
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

/** The size seen at first, or less where the file has shrunk since; that is another image, and has another key. */
async function readAll(descriptor: number, size: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  while (filled < size) {
    throwIfAborted(signal);
    const { bytesRead } = await readAt(descriptor, bytes, filled, Math.min(READ_SIZE, size - filled), filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new CancelledError();
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
