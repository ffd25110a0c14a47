import { ByteReader, corrupt } from "./byte-reader.js";
import { exifOrientation } from "./exif.js";
import type { PageFacts } from "./page-facts.js";

/** Markers of ITU-T T.81, table B.1. */
const APP1 = 0xe1;
const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;
const BASELINE = 0xc0;
const PROGRESSIVE = 0xc2;

/** Segments, fill and stray bytes before the first scan; real files have some dozens. */
const MAX_HEADER_STEPS = 10_000;

/** 0xFF bytes behind it; a real file of 128 MiB has half a million. */
const MAX_SCAN_STEPS = 4_000_000;

/**
 * Walks the markers from the first segment to the end of the last scan (ITU-T T.81, Annex B); what cameras append
 * behind that is tolerated. Nothing is decoded: every 0xFF of coded data is escaped, so a marker is none of it.
 * @throws ImageError `image-corrupt`
 */
export function inspectJpeg(bytes: Buffer): PageFacts {
  const reader = new ByteReader(bytes, false);
  let frame: Frame | undefined;
  let orientation: number | undefined;
  for (const { marker, from, to, afterStrayBytes } of segments(reader)) {
    if (isFrame(marker)) {
      if (frame !== undefined) throw corrupt("a JPEG with two frames");
      frame = readFrame(reader, from, marker);
    } else if (marker === APP1 && bytes.toString("latin1", from, from + 4) === "Exif") {
      orientation ??= exifOrientation(bytes.subarray(from, to));
    } else if (marker === START_OF_SCAN) {
      if (frame === undefined) throw corrupt("a JPEG scan without a frame");
      assertScansEnd(reader, to, frame);
      const rare = frame.rare || afterStrayBytes;
      const { width, height } = frame;
      return { format: "jpeg", width, height, orientation: orientation ?? 1, pages: 1, bilevel: false, rare };
    }
  }
  throw corrupt("a JPEG without a scan");
}

interface Segment {
  readonly marker: number;
  /** First byte after the length. */
  readonly from: number;
  readonly to: number;
  /** Decoders skip stray bytes between segments; whether the rest is sound is for ours to judge. */
  readonly afterStrayBytes: boolean;
}

function* segments(reader: ByteReader): Generator<Segment> {
  let afterStrayBytes = false;
  let at = 2;
  for (let step = 0; step < MAX_HEADER_STEPS; step++) {
    const marker = reader.u8(at + 1);
    if (reader.u8(at) !== 0xff) {
      afterStrayBytes = true;
      at += 1;
    } else if (marker === 0xff) {
      at += 1;
    } else if (isStandalone(marker)) {
      at += 2;
    } else {
      const to = at + 2 + reader.u16(at + 2);
      if (to < at + 4) throw corrupt("a JPEG segment shorter than its own length");
      reader.assertInside(at, to - at);
      yield { marker, from: at + 4, to, afterStrayBytes };
      at = to;
    }
  }
}

/** Markers without a segment: TEM and restarts; and the zero that escapes a 0xFF of coded data. */
function isStandalone(marker: number): boolean {
  return marker === 0x00 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);
}

/** SOF0 to SOF15, among which DHT, JPG and DAC have their codes. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly rare: boolean;
}

/** Common is what browsers read too: baseline, extended and progressive Huffman, 8 bits, grey or three colours. */
function readFrame(reader: ByteReader, at: number, marker: number): Frame {
  const bits = reader.u8(at);
  const height = reader.u16(at + 1);
  const width = reader.u16(at + 3);
  const components = reader.u8(at + 5);
  if (width === 0 || height === 0) throw corrupt("a JPEG frame without a size");
  const common = marker >= BASELINE && marker <= PROGRESSIVE && bits === 8 && (components === 1 || components === 3);
  return { width, height, rare: !common };
}

/** Where the end is must leave room for one bit a block of 8 × 8, the least that Huffman coding can do. */
function assertScansEnd(reader: ByteReader, from: number, { width, height, rare }: Frame): void {
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8);
  if (findEnd(reader, from) - from < (rare ? 1 : blocks / 8))
    throw corrupt("a JPEG with less data than its picture takes");
}

function findEnd(reader: ByteReader, from: number): number {
  let at = from;
  for (let step = 0; step < MAX_SCAN_STEPS; step++) {
    at = reader.bytes.indexOf(0xff, at);
    if (at < 0) break;
    const marker = reader.u8(at + 1);
    if (marker === END_OF_IMAGE) return at;
    if (marker === 0xff) at += 1;
    else if (isStandalone(marker)) at += 2;
    else if (standsBetweenScans(marker)) at += 2 + reader.u16(at + 2);
    else throw corrupt("a JPEG with foreign bytes in its data");
  }
  throw corrupt("a JPEG that was cut short");
}

/** DHT, DAC, SOS, DQT, DNL, DRI, APP0 to APP15 and COM. */
function standsBetweenScans(marker: number): boolean {
  return (
    marker === 0xc4 ||
    marker === 0xcc ||
    (marker >= 0xda && marker <= 0xdd) ||
    (marker & 0xf0) === 0xe0 ||
    marker === 0xfe
  );
}
