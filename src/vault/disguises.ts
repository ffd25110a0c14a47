import { constants, inflateRawSync } from "node:zlib";

/** Bytes taken out of others, and where in those each of them came from. */
export interface Unwrapped {
  /** How they were wrapped: `base64`, `escapes`, … */
  readonly form: string;
  readonly bytes: Buffer;
  readonly offsetOf: (index: number) => number;
  /** What a second wrapping inside of this one may be. */
  readonly inside: readonly Unwrapper[];
}

type Unwrapper = (bytes: Buffer) => Generator<Unwrapped>;

/** The ways in which a number can lie in a file without its digits being there one by one. */
export function* unwrap(bytes: Buffer): Generator<Unwrapped> {
  for (const unwrapper of [unescaped, decodeBase64, decodeHex, inflate]) yield* unwrapper(bytes);
}

/** As `unwrap`, for what comes twice wrapped in practice. */
export function* unwrapAgain({ bytes, inside }: Unwrapped): Generator<Unwrapped> {
  for (const unwrapper of inside) yield* unwrapper(bytes);
}

/** Of all gzip in the bytes together. */
const MAX_INFLATED_BYTES = 64 * 1024 * 1024;
const SPACE = 0x20;
const ZERO = 0x30;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b, 0x08]);
const FULL_WIDTH_ZERO = 0xff10;
/**
 * Characters as URLs, JSON, C, HTML and quoted-printable write them, and full-width digits in UTF-8 and GB 18030; on Latin-1
 * text, a character a byte. In order: four and two hexadecimal digits, decimal codes, full-width digits, and JSON's names for white space.
 */
const ESCAPE = new RegExp(
  [
    "(?:\\\\u|&#[Xx])([0-9A-Fa-f]{4})",
    "(?:%|=|\\\\x|&#[Xx])([0-9A-Fa-f]{2})",
    "&#([0-9]{2,5})",
    "(\\xef\\xbc[\\x90-\\x99]|\\xa3[\\xb0-\\xb9])",
    "\\\\[nrt]",
  ].join("|"),
  "g",
);

function* unescaped(bytes: Buffer): Generator<Unwrapped> {
  const result = Buffer.allocUnsafe(bytes.length);
  const offsets = new Uint32Array(bytes.length);
  let length = 0;
  let at = 0;
  const put = (byte: number) => {
    result[length] = byte;
    offsets[length++] = at;
  };
  for (const match of bytes.toString("latin1").matchAll(ESCAPE)) {
    for (; at < match.index; at++) put(bytes[at] ?? 0);
    put(characterOf(match));
    at += match[0].length;
  }
  if (length === 0) return;
  for (; at < bytes.length; at++) put(bytes[at] ?? 0);
  yield {
    form: "escapes",
    bytes: result.subarray(0, length),
    offsetOf: (index) => offsets[index] ?? 0,
    inside: [unescaped],
  };
}

/** One byte for each escape; zero where it is no digit and no Latin letter. */
function characterOf([, unit, byte, decimal, wide]: RegExpExecArray): number {
  if (wide !== undefined) return ZERO + (wide.charCodeAt(wide.length - 1) & 0x0f);
  const hex = unit ?? byte;
  const code = hex === undefined ? Number(decimal ?? SPACE) : Number.parseInt(hex, 16);
  if (code >= FULL_WIDTH_ZERO && code <= FULL_WIDTH_ZERO + 9) return ZERO + code - FULL_WIDTH_ZERO;
  return code < 256 ? code : 0;
}

/** Both alphabets, line breaks or not; where in it a number begins decides between four ways of reading. */
function* decodeBase64(bytes: Buffer): Generator<Unwrapped> {
  const { kept, offsets } = filter(bytes, BASE64);
  for (let phase = 0; phase < 4; phase++) {
    yield {
      form: "base64",
      bytes: Buffer.from(kept.toString("latin1", phase), "base64"),
      offsetOf: (index) => offsets[phase + Math.floor((index * 4) / 3)] ?? 0,
      inside: [inflate],
    };
  }
}

function* decodeHex(bytes: Buffer): Generator<Unwrapped> {
  const { kept, offsets } = filter(bytes, HEX);
  for (let phase = 0; phase < 2; phase++) {
    yield {
      form: "hex",
      bytes: Buffer.from(kept.toString("latin1", phase), "hex"),
      offsetOf: (index) => offsets[phase + index * 2] ?? 0,
      inside: [inflate],
    };
  }
}

/** What cannot be inflated is no gzip. What is cut short is read as far as it goes, what follows is left alone. */
function* inflate(bytes: Buffer): Generator<Unwrapped> {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_INFLATED_BYTES };
  let budget = MAX_INFLATED_BYTES;
  for (let at = bytes.indexOf(GZIP_MAGIC); at >= 0 && budget > 0; at = bytes.indexOf(GZIP_MAGIC, at + 1)) {
    try {
      const inflated = inflateRawSync(bytes.subarray(endOfGzipHeader(bytes, at)), options);
      budget -= inflated.length;
      yield { form: "gzip", bytes: inflated, offsetOf: () => at, inside: [unescaped] };
    } catch (error) {
      if (error instanceof RangeError) budget = 0;
    }
  }
}

/** RFC 1952, 2.3: ten bytes, then what the flags announce. */
function endOfGzipHeader(bytes: Buffer, start: number): number {
  const flags = bytes[start + 3] ?? 0;
  let at = start + 10;
  if ((flags & 4) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const text of [8, 16]) if ((flags & text) !== 0) at = bytes.indexOf(0, at) + 1;
  return (flags & 2) !== 0 ? at + 2 : at;
}

function filter(bytes: Buffer, keep: Uint8Array): { readonly kept: Buffer; readonly offsets: Uint32Array } {
  const kept = Buffer.allocUnsafe(bytes.length);
  const offsets = new Uint32Array(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (keep[byte] === 0) continue;
    kept[length] = byte;
    offsets[length++] = i;
  }
  return { kept: kept.subarray(0, length), offsets };
}

function characters(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (pattern.test(String.fromCharCode(byte)) ? 1 : 0));
}

const BASE64 = characters(/[A-Za-z0-9+/_-]/);
const HEX = characters(/[0-9A-Fa-f]/);
