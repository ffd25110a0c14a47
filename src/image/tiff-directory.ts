import { ImageError } from "../domain/errors.js";
import { ByteReader, corrupt } from "./byte-reader.js";

/** More pages than any scanner's file has; walking further would only serve an attacker. */
const MAX_DIRECTORIES = 10_000;
const MAX_ENTRIES = 65_535;

/** Sizes of the two layouts: classic TIFF 6.0 counts in 2 and 4 bytes, BigTIFF in 8. */
const CLASSIC = { big: false, countSize: 2, entrySize: 12, pointerSize: 4 } as const;
const BIG = { big: true, countSize: 8, entrySize: 20, pointerSize: 8 } as const;

export interface TiffFile {
  readonly reader: ByteReader;
  readonly layout: typeof CLASSIC | typeof BIG;
  readonly firstDirectoryAt: number;
}

/** The whole numbers of one tag. */
export interface TagNumbers {
  readonly count: number;
  /** @throws ImageError `image-corrupt` past the end of the file */
  number(index: number): number;
}

/** @throws ImageError `image-corrupt` when it is not a TIFF header (TIFF 6.0 section 2; BigTIFF has version 43) */
export function openTiff(bytes: Buffer): TiffFile {
  const order = bytes.toString("latin1", 0, 2);
  if (order !== "II" && order !== "MM") throw corrupt("a TIFF header without its byte order");
  const reader = new ByteReader(bytes, order === "II");
  const version = reader.u16(2);
  if (version !== 42 && version !== 43) throw corrupt("a TIFF header with an unknown version");
  return version === 42
    ? { reader, layout: CLASSIC, firstDirectoryAt: reader.u32(4) }
    : { reader, layout: BIG, firstDirectoryAt: reader.u64(8) };
}

/**
 * Where the directory of each page begins.
 * @throws ImageError `image-corrupt` when the list runs in a circle or out of the file, `image-too-large` past 10,000 pages
 */
export function listDirectories(tiff: TiffFile): readonly number[] {
  const found = new Set<number>();
  for (let at = tiff.firstDirectoryAt; at !== 0; at = nextDirectory(tiff, at)) {
    if (found.has(at)) throw corrupt("the pages of the TIFF run in a circle");
    if (found.size >= MAX_DIRECTORIES) {
      throw new ImageError("image-too-large", `the TIFF has more than ${MAX_DIRECTORIES} pages`);
    }
    found.add(at);
  }
  if (found.size === 0) throw corrupt("a TIFF without a page");
  return [...found];
}

/** A tag of the directory, or undefined where it has none or one that does not hold whole numbers. */
export function findTag(tiff: TiffFile, directoryAt: number, tag: number): TagNumbers | undefined {
  const entries = entryCount(tiff, directoryAt);
  for (let index = 0; index < entries; index++) {
    const at = entryAt(tiff, directoryAt, index);
    if (tiff.reader.u16(at) === tag) return readNumbers(tiff, at);
  }
  return undefined;
}

/** Whether the values of every tag lie in the file, those included that nobody here reads. */
export function hasAllValues(tiff: TiffFile, directoryAt: number): boolean {
  const entries = entryCount(tiff, directoryAt);
  for (let index = 0; index < entries; index++) {
    const { at, size, count } = readEntry(tiff, entryAt(tiff, directoryAt, index));
    if (at + size * count > tiff.reader.length) return false;
  }
  return true;
}

function nextDirectory(tiff: TiffFile, at: number): number {
  return pointer(tiff, entryAt(tiff, at, entryCount(tiff, at)));
}

function entryCount({ reader, layout }: TiffFile, at: number): number {
  const count = layout.big ? reader.u64(at) : reader.u16(at);
  if (count > MAX_ENTRIES) throw corrupt("a TIFF page with more tags than there can be");
  return count;
}

function entryAt({ layout }: TiffFile, directoryAt: number, index: number): number {
  return directoryAt + layout.countSize + index * layout.entrySize;
}

function pointer({ reader, layout }: TiffFile, at: number): number {
  return layout.big ? reader.u64(at) : reader.u32(at);
}

/** Bytes of one value by type, 1 (BYTE) to 18 (IFD8); unknown types are taken as empty. */
const TYPE_SIZES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

/** Values stand in the entry itself when they fit into a pointer's place, else where that pointer says. */
function readEntry(tiff: TiffFile, entryAt: number) {
  const type = tiff.reader.u16(entryAt + 2);
  const size = TYPE_SIZES[type] ?? 0;
  const count = pointer(tiff, entryAt + 4);
  const valueAt = entryAt + 4 + tiff.layout.pointerSize;
  const at = size * count <= tiff.layout.pointerSize ? valueAt : pointer(tiff, valueAt);
  return { type, size, count, at };
}

/** BYTE, SHORT, LONG and IFD; LONG8 and IFD8 of BigTIFF. */
const WHOLE_NUMBER_TYPES = new Set([1, 3, 4, 13, 16, 18]);

function readNumbers(tiff: TiffFile, entryAt: number): TagNumbers | undefined {
  const { type, size, count, at } = readEntry(tiff, entryAt);
  if (!WHOLE_NUMBER_TYPES.has(type)) return undefined;
  return { count, number: (index) => readNumber(tiff.reader, at + index * size, size) };
}

function readNumber(reader: ByteReader, at: number, size: number): number {
  switch (size) {
    case 1:
      return reader.u8(at);
    case 2:
      return reader.u16(at);
    case 4:
      return reader.u32(at);
    default:
      return reader.u64(at);
  }
}
