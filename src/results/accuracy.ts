import { createReadStream } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse";
import type { DigitMatch } from "../domain/digit-match.js";
import { UsageError } from "../domain/errors.js";
import { Pan } from "../domain/pan.js";
import type { OutcomeRecord } from "../domain/record.js";
import { STREAM_FILES } from "./ndjson-sink.js";
import { readRecords } from "./read-lines.js";

/** One labelled page. Null is "there is none to read", undefined "the truth file has no such column". */
export interface Label {
  readonly file: string;
  readonly page: number;
  readonly number: Pan | null;
  readonly fingerprint: string | null;
  readonly issueDate: string | null | undefined;
  readonly expiryDate: string | null | undefined;
  readonly bank: string | null | undefined;
  readonly type: string | null | undefined;
  /** What other columns say of the page, such as its design. */
  readonly strata: Readonly<Record<string, string>>;
}

/** A labelled page and what became of it. */
export interface JudgedPage {
  readonly label: Label;
  readonly record: OutcomeRecord;
  readonly isRight: boolean;
  readonly isAccepted: boolean;
  /** Digit by digit; null when nobody asked, or the number could not be opened. */
  readonly digits: DigitMatch | null;
}

/** How many of those that have a label, and are right. */
export interface Score {
  readonly labelled: number;
  readonly right: number;
}

export interface Accuracy {
  /** Labelled pages among the results. */
  readonly pages: number;
  /** Whole numbers, every digit right; a page without a number is right when none is given. */
  readonly number: Score;
  readonly issueDate: Score;
  readonly expiryDate: Score;
  readonly bank: Score;
  readonly type: Score;
  /** Pages accepted without a person looking. */
  readonly accepted: number;
  /** Of these, pages whose number is not the label's. */
  readonly wrongAccepts: number;
  /** Labelled pages that could not be read at all. */
  readonly failed: number;
  /** Labelled pages that the results don't have. */
  readonly missing: number;
}

export interface AccuracyDeps {
  readonly fingerprint: (number: Pan) => string;
  /** The name of an image whose digits are masked in the results. */
  readonly openSource: (record: OutcomeRecord) => Promise<string>;
  /** Opens the number that was read and counts its digits; where left out, nothing is decrypted. */
  readonly matchDigits?: (record: OutcomeRecord, label: Pan | null) => Promise<DigitMatch | null>;
  /** Hears of every page that has a label. */
  readonly onPage?: (page: JudgedPage) => void;
}

/**
 * Compares a folder of results with a truth file (`file,page,number,issueDate,expiryDate,bank,type`; `file` as results
 * name the image). Numbers are compared by fingerprint.
 * @throws UsageError when the truth file cannot be used
 */
export async function measureAccuracy(folder: string, truth: string, deps: AccuracyDeps): Promise<Accuracy> {
  const labels = await readLabels(truth, deps.fingerprint);
  const tally = createTally();
  for (const file of Object.values(STREAM_FILES)) {
    for await (const record of readRecords(join(folder, file))) {
      const key = labelKey(await nameOf(record, deps), record.image.page);
      const label = labels.get(key);
      if (label === undefined || isForAskerAlone(record)) continue;
      labels.delete(key);
      const judgement = tally.add(label, record);
      const digits = (await deps.matchDigits?.(record, label.number)) ?? null;
      deps.onPage?.({ label, record, ...judgement, digits });
    }
  }
  return tally.result(labels.size);
}

/** Whether its number is right nobody here can tell. */
function isForAskerAlone({ cards }: OutcomeRecord): boolean {
  return cards.some(({ number }) => number !== null && number.fingerprint === null);
}

/** A name that this keyring cannot open stays masked, and its label is missing. */
async function nameOf(record: OutcomeRecord, { openSource }: AccuracyDeps): Promise<string> {
  const { source, sourceJwe } = record.image;
  return sourceJwe === undefined ? source : openSource(record).catch(() => source);
}

/** For who is about to do much that is to be compared with them. @throws UsageError when the truth file cannot be used */
export async function assertLabels(truth: string | undefined): Promise<void> {
  if (truth !== undefined) await readLabels(truth, () => "");
}

/** The lines of a truth file by the page that they are of. @throws UsageError when it cannot be used */
export async function readLabels(truth: string, fingerprint: AccuracyDeps["fingerprint"]): Promise<Map<string, Label>> {
  const labels = new Map<string, Label>();
  const parser = createReadStream(truth)
    .on("error", (error) => parser.destroy(error))
    .pipe(parse({ columns: true, bom: true, skip_empty_lines: true, relax_column_count: true }));
  try {
    for await (const row of parser as AsyncIterable<Record<string, string>>) {
      const { file, page = "0", number, ...others } = row;
      if (file === undefined || number === undefined)
        throw new UsageError(`--truth ${truth}: needs the columns file and number`);
      const pan = /\d/.test(number) ? new Pan(number) : null;
      const text = (name: string) => (row[name] === "" ? null : row[name]);
      labels.set(labelKey(file, Number(page)), {
        file,
        page: Number(page),
        number: pan,
        fingerprint: pan === null ? null : fingerprint(pan),
        issueDate: text("issueDate"),
        expiryDate: text("expiryDate"),
        bank: text("bank"),
        type: text("type"),
        strata: strataOf(others),
      });
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(
      code === "ENOENT" ? `--truth ${truth}: no such file` : `--truth ${truth}: cannot be read as CSV`,
    );
  }
  return labels;
}

/** Columns that are no field of the card. */
function strataOf({ issueDate, expiryDate, bank, type, ...strata }: Record<string, string>): Record<string, string> {
  return strata;
}

function labelKey(file: string, page: number): string {
  // File systems compose letters and accents in different ways.
  return `${file.normalize("NFC").replaceAll("\\", "/").replace(/^\.\//, "")}#${page}`;
}

function createTally() {
  const scores = { number: score(), issueDate: score(), expiryDate: score(), bank: score(), type: score() };
  let pages = 0;
  let accepted = 0;
  let wrongAccepts = 0;
  let failed = 0;
  return {
    add: (label: Label, record: OutcomeRecord) => {
      pages++;
      if (record.outcome === "failed") failed++;
      const [card] = record.cards;
      // What could not be read at all is not right about a page without a number either.
      const isRight = record.outcome !== "failed" && (card?.number?.fingerprint ?? null) === label.fingerprint;
      scores.number.add(isRight);
      if (isGiven(label.issueDate)) scores.issueDate.add(card?.issueDate === label.issueDate);
      if (isGiven(label.expiryDate)) scores.expiryDate.add(card?.expiryDate === label.expiryDate);
      if (isGiven(label.bank)) scores.bank.add(card?.bank?.name === label.bank);
      if (isGiven(label.type)) scores.type.add(card?.type === label.type);
      const isAccepted =
        record.outcome === "accepted" || (record.outcome === "duplicate" && record.reasons.length === 0);
      if (isAccepted) accepted++;
      if (isAccepted && !isRight) wrongAccepts++;
      return { isRight, isAccepted };
    },
    result: (missing: number): Accuracy => ({
      pages,
      number: scores.number.get(),
      issueDate: scores.issueDate.get(),
      expiryDate: scores.expiryDate.get(),
      bank: scores.bank.get(),
      type: scores.type.get(),
      accepted,
      wrongAccepts,
      failed,
      missing,
    }),
  };
}

function isGiven(value: string | null | undefined): value is string {
  return typeof value === "string";
}

function score() {
  let labelled = 0;
  let right = 0;
  return {
    add: (isRight: boolean) => {
      labelled++;
      if (isRight) right++;
    },
    get: (): Score => ({ labelled, right }),
  };
}
