import { ImageError } from "../domain/errors.js";

/** Unsigned numbers out of a file that may lie: every read is checked, and one past the end is `image-corrupt`. */
export class ByteReader {
  readonly bytes: Buffer;
  readonly length: number;
  readonly #view: DataView;
  readonly #littleEndian: boolean;

  constructor(bytes: Buffer, littleEndian: boolean) {
    this.bytes = bytes;
    this.length = bytes.length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#littleEndian = littleEndian;
  }

  u8(at: number): number {
    this.assertInside(at, 1);
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    this.assertInside(at, 2);
    return this.#view.getUint16(at, this.#littleEndian);
  }

  u32(at: number): number {
    this.assertInside(at, 4);
    return this.#view.getUint32(at, this.#littleEndian);
  }

  i32(at: number): number {
    this.assertInside(at, 4);
    return this.#view.getInt32(at, this.#littleEndian);
  }

  /** Rounded above 2^53, which is far past the end of any file that is read. */
  u64(at: number): number {
    this.assertInside(at, 8);
    return Number(this.#view.getBigUint64(at, this.#littleEndian));
  }

  /** @throws ImageError `image-corrupt` unless `size` bytes from `at` lie in the file */
  assertInside(at: number, size: number): void {
    if (!(at >= 0 && at + size <= this.length)) throw corrupt("the file ends before its picture does");
  }
}

/** @param what what was seen, as a sentence without a full stop and without anything of the file's contents */
export function corrupt(what: string): ImageError {
  return new ImageError("image-corrupt", what);
}
