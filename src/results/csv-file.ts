import { open } from "node:fs/promises";
import { join } from "node:path";
import type { OutcomeRecord } from "../domain/record.js";
import { CSV_START, csvRow } from "./csv.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { readRecords } from "./read-lines.js";
import { replaceFile } from "./write-whole.js";

const ROWS_AT_A_TIME = 1000;

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

/** Writes `results.csv`, for spreadsheets, from both files: a row a card, and a row for each page without one. */
export async function writeCsv(folder: string): Promise<void> {
  const path = join(folder, "results.csv");
  const draft = await open(`${path}.tmp`, "w");
  try {
    let rows: string[] = [];
    for await (const each of rowsOf(folder)) {
      if (rows.push(each) < ROWS_AT_A_TIME) continue;
      await draft.appendFile(rows.join(""));
      rows = [];
    }
    await draft.appendFile(rows.join(""));
    await draft.sync();
  } finally {
    await draft.close();
  }
  await replaceFile(`${path}.tmp`, path);
}

async function* rowsOf(folder: string): AsyncGenerator<string> {
  yield CSV_START + csvRow(COLUMNS.map(([name]) => name));
  for (const file of Object.values(STREAM_FILES)) {
    for await (const record of readRecords(join(folder, file))) {
      const cards = record.cards.length === 0 ? [undefined] : record.cards;
      for (const card of cards) yield csvRow(COLUMNS.map(([, value]) => value(record, card)));
    }
  }
}
