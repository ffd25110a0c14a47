import { isUtf8 } from "node:buffer";
import { findPans, maskPansIn } from "../domain/find-pans.js";
import type { Canaries, CanaryHit } from "./canaries.js";
import { unwrap, unwrapAgain } from "./disguises.js";

/** A card number where none should be. */
export interface ScanFind {
  /** From the start of the place; in what is compressed as a whole, from the start of its content. @unit bytes */
  readonly offset: number;
  /** From 1. */
  readonly line: number;
  /** `plain`, `separated` or `reversed`, and what it is wrapped in: `plain in base64`. */
  readonly form: string;
  readonly masked: string;
}

/** One place (a file, a key in Redis), looked through in memory that does not depend on its size. */
export interface PlaceScan {
  /** What no later chunk can change. */
  push(chunk: Buffer): readonly ScanFind[];
  end(): readonly ScanFind[];
}

/** @param canaries what to look for and nothing else; null: whatever looks like a card number */
export function createPlaceScan(canaries: Canaries | null): PlaceScan {
  const search = canaries === null ? searchHeuristically : (window: Buffer) => searchCanaries(canaries, window);
  let window: Buffer = Buffer.alloc(0);
  /** Where the window begins. */
  let base = 0;
  /** From where on in the window finds are ours: those before it were reported, with the window before. */
  let ownFrom = 0;
  let line = 1;

  /** Reports what begins before `ownTo`; the rest of the window lets the last of them be seen whole. */
  const settle = (ownTo: number): readonly ScanFind[] => {
    const finds = [...search(window)]
      .filter(({ offset }) => offset >= ownFrom && offset < ownTo)
      .map((find) => ({ ...find, offset: base + find.offset, line: line + countLines(window, ownFrom, find.offset) }))
      .sort((a, b) => a.offset - b.offset);
    line += countLines(window, ownFrom, ownTo);
    const keepFrom = Math.max(0, ownTo - LEFT_CONTEXT);
    window = window.subarray(keepFrom);
    base += keepFrom;
    ownFrom = ownTo - keepFrom;
    return finds;
  };

  return {
    push: (chunk) => {
      window = window.length === 0 ? chunk : Buffer.concat([window, chunk]);
      const settled = window.length - LOOKAHEAD;
      return settled - ownFrom >= MIN_STEP ? settle(settled) : [];
    },
    end: () => settle(window.length),
  };
}

type WindowFind = Omit<ScanFind, "line">;

/** What stands before a number, for whether it stands by itself. @unit bytes */
const LEFT_CONTEXT = 64;
/** Longer than a number in any disguise. @unit bytes */
const LOOKAHEAD = 1024;
/** Small chunks are gathered: a search has a price of its own. @unit bytes */
const MIN_STEP = 64 * 1024;
/** Less than the shortest number. @unit bytes */
const SAME_PLACE = 12;
const NEWLINE = 10;

function* searchHeuristically(window: Buffer): Generator<WindowFind> {
  const { text, encoding, start } = decode(window);
  for (const span of findPans(text, "text")) {
    const offset = start + Buffer.byteLength(text.slice(0, span.start), encoding);
    yield { offset, form: "plain", masked: maskPansIn(text.slice(span.start, span.end), "text") };
  }
}

/** As UTF-8 where it is, for the wide digits and spaces of it, less characters cut in two; else a character a byte. */
function decode(window: Buffer): { readonly text: string; readonly encoding: BufferEncoding; readonly start: number } {
  let start = 0;
  while (start < 3 && isContinuation(window[start])) start++;
  for (const cut of [0, 1, 2, 3]) {
    const whole = window.subarray(start, Math.max(start, window.length - cut));
    if (isUtf8(whole)) return { text: whole.toString("utf8"), encoding: "utf8", start };
  }
  return { text: window.toString("latin1"), encoding: "latin1", start: 0 };
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** A number can show in several forms at one place, a few bytes apart: it is found once, in the plainest. */
function* searchCanaries(canaries: Canaries, window: Buffer): Generator<WindowFind> {
  const seen = new Map<string, number>();
  for (const { hit, offset, wrapping } of hits(canaries, window)) {
    const bucket = Math.floor(offset / SAME_PLACE);
    const others = [bucket - 1, bucket, bucket + 1].map((near) => seen.get(`${hit.canary}:${near}`));
    if (others.some((other) => other !== undefined && Math.abs(other - offset) < SAME_PLACE)) continue;
    seen.set(`${hit.canary}:${bucket}`, offset);
    yield { offset, form: hit.form + wrapping, masked: hit.masked };
  }
}

function* hits(
  canaries: Canaries,
  window: Buffer,
): Generator<{ readonly hit: CanaryHit; readonly offset: number; readonly wrapping: string }> {
  for (const hit of canaries.find(window)) yield { hit, offset: hit.offset, wrapping: "" };
  for (const outer of unwrap(window)) {
    const wrapping = ` in ${outer.form}`;
    for (const hit of canaries.find(outer.bytes)) yield { hit, offset: outer.offsetOf(hit.offset), wrapping };
    for (const inner of unwrapAgain(outer)) {
      for (const hit of canaries.find(inner.bytes)) {
        const offset = outer.offsetOf(inner.offsetOf(hit.offset));
        yield { hit, offset, wrapping: ` in ${inner.form}${wrapping}` };
      }
    }
  }
}

function countLines(bytes: Buffer, from: number, to: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE, from); at >= 0 && at < to; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
