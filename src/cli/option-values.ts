import { InvalidArgumentError, Option } from "commander";
import { parseDuration } from "./format.js";

/** An option that takes a time, with a default as one writes it. */
export function timeOption(flags: string, description: string, preset: string): Option {
  return new Option(flags, description).argParser(parseTime).default(parseTime(preset), preset);
}

/** An option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function parseWhole(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("takes a whole number from 1.");
  return value;
}

export function parsePort(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InvalidArgumentError("takes a port, 0 to 65535.");
  return value;
}

export function parseTime(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError("takes a time such as 90s, 30m or 2h.");
  return ms;
}

/** A WHATWG encoding label. */
export function parseEncoding(text: string): string {
  try {
    return new TextDecoder(text).encoding;
  } catch {
    throw new InvalidArgumentError("takes an encoding such as utf-8 or gb18030.");
  }
}
