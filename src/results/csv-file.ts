import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import type { OutcomeRecord } from "../domain/record.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { readObjects } from "./read-lines.js";

const LINES_AT_A_TIME = 1000;

const COLUMNS: readonly (readonly [
  string,
  (record: OutcomeRecord, card: OutcomeRecord["cards"][number] | undefined) => unknown,
])[] = [
  ["source", (record) => record.image.source],
  ["page", (record) => record.image.page],
  ["ref", (record) => record.ref],
  ["outcome", (record) => record.outcome],
  ["reasons", (record) => record.reasons.join(" ")],
  ["number", (_, card) => card?.number?.masked],
  ["luhn", (_, card) => card?.number?.luhn],
  ["bank", (_, card) => card?.bank?.name],
  ["network", (_, card) => card?.network],
  ["type", (_, card) => card?.type],
  ["issueDate", (_, card) => card?.issueDate],
  ["expiryDate", (_, card) => card?.expiryDate],
  ["confidence", (_, card) => card?.confidence.number],
  ["provider", (record) => record.provider?.name],
  ["duplicateOf", (record) => record.duplicateOf],
  ["code", (record) => record.code],
  ["message", (record) => record.message],
  ["fingerprint", (_, card) => card?.number?.fingerprint],
  ["jwe", (_, card) => card?.number?.jwe],
  ["request", (record) => record.request],
];

/** Writes `results.csv` from both files: a row a card, and a row for each page without one. */
export async function writeCsv(folder: string): Promise<void> {
  const path = join(folder, "results.csv");
  const draft = await open(`${path}.tmp`, "w");
  try {
    let rows = [COLUMNS.map(([name]) => name).join(",")];
    for (const file of Object.values(STREAM_FILES)) {
      for await (const line of readObjects<OutcomeRecord>(join(folder, file))) {
        const record = line as OutcomeRecord;
        const cards = record.cards.length === 0 ? [undefined] : record.cards;
        for (const card of cards) rows.push(COLUMNS.map(([, value]) => cell(value(record, card))).join(","));
        if (rows.length < LINES_AT_A_TIME) continue;
        await draft.write(`${rows.join("\r\n")}\r\n`);
        rows = [];
      }
    }
    if (rows.length > 0) await draft.write(`${rows.join("\r\n")}\r\n`);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${path}.tmp`, path);
}

/** RFC 4180; text that a spreadsheet would run as a formula starts with an apostrophe (OWASP, CSV injection). */
function cell(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
