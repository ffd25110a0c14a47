import { UsageError } from "../../domain/errors.js";
import { Pan } from "../../domain/pan.js";
import type { OutcomeRecord, RecordCard } from "../../domain/record.js";
import { readCsvRecords } from "../../intake/csv-records.js";
import { readTextLines } from "../../intake/text-lines.js";
import { cellText } from "../../results/csv.js";

/** What a row shows of a card in review. */
export interface ShownCard {
  readonly record: OutcomeRecord;
  readonly card: RecordCard;
  readonly index: number;
  /** Where its image is. */
  readonly place: string;
  /** The digits in groups of four, which spreadsheets leave alone; null: they stay masked. */
  readonly number: string | null;
}

/** Those marked are read back; the others are for whoever looks. */
export const REVIEW_COLUMNS = {
  request: ({ record }) => record.request,
  card: ({ index }) => index,
  image: ({ place }) => place,
  page: ({ record }) => record.image.page,
  ref: ({ record }) => record.ref,
  reasons: ({ record }) => record.reasons.join(" "),
  masked: ({ card }) => card.number?.masked,
  luhn: ({ card }) => card.number?.luhn,
  confidence: ({ card }) => card.confidence.number,
  box: ({ card }) => card.keypoints.number?.map(({ x, y }) => `${x} ${y}`).join(", "),
  number: ({ number }) => number,
  bank: ({ card }) => card.bank?.name,
  issueDate: ({ card }) => card.issueDate,
  expiryDate: ({ card }) => card.expiryDate,
  decision: () => "",
} as const satisfies Record<string, (shown: ShownCard) => unknown>;

/** What somebody wrote into a row. */
export interface DecidedRow {
  /** Of the file, from 1. */
  readonly line: number;
  readonly request: string;
  readonly card: number;
  /** As it was written. */
  readonly decision: string;
  /** Null: nothing was written. */
  readonly number: Pan | null;
  readonly bank: string;
  readonly issueDate: string;
  readonly expiryDate: string;
}

/**
 * The rows with a decision. Numbers become `Pan`s here; no other copy is made of what the file holds.
 * @throws UsageError when the file cannot be read, or lacks a column
 */
export async function* readDecisions(path: string, encoding: string, signal: AbortSignal): AsyncGenerator<DecidedRow> {
  let header: readonly string[] | null = null;
  for await (const { fields, line } of readCsvRecords(readTextLines(path, encoding, signal))) {
    if (header === null) {
      header = (fields ?? []).map((name) => name.trim());
      const missing = ["request", "decision"].find((name) => header?.includes(name) !== true);
      if (missing !== undefined) {
        throw new UsageError(
          `the file has no column ${missing}; import what \`review export\` wrote, saved as CSV with commas`,
        );
      }
      continue;
    }
    const cell = (name: keyof typeof REVIEW_COLUMNS) => cellText(fields?.[header?.indexOf(name) ?? -1] ?? "");
    const decision = cell("decision").toLowerCase();
    if (decision === "") continue;
    const number = cell("number");
    yield {
      line,
      request: cell("request"),
      card: Number(cell("card")),
      decision,
      number: number === "" ? null : new Pan(number),
      bank: cell("bank"),
      issueDate: cell("issueDate"),
      expiryDate: cell("expiryDate"),
    };
  }
}
