import { numberField, type OutcomeSeal } from "../../domain/card-vault.js";
import { findNetwork } from "../../domain/iin.js";
import type { Pan } from "../../domain/pan.js";
import type { OutcomeRecord, RecordCard } from "../../domain/record.js";
import type { Decision, Review } from "../../domain/review.js";
import { recordNumber } from "../../recognition/make-record.js";
import type { Vault } from "../../vault/vault.js";
import { VaultError } from "../../vault/vault-error.js";
import type { DecidedRow } from "./rows.js";

const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;

/** Why a row was not taken; never what it holds. */
export interface Problem {
  readonly line: number;
  readonly message: string;
}

export interface DecideDeps {
  readonly vault: Pick<Vault, "openNumber" | "fingerprint">;
  /** Of the batch's destination. */
  readonly seal: OutcomeSeal;
  readonly by: string;
  readonly now: () => Date;
}

class Refused extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/**
 * What the rows of one request decide about it.
 * @param record as the machine made it
 */
export async function decide(
  record: OutcomeRecord,
  rows: readonly DecidedRow[],
  deps: DecideDeps,
): Promise<Review | Problem> {
  try {
    return await review(record, rows, deps);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { line: error.line, message: error.message };
  }
}

async function review(record: OutcomeRecord, rows: readonly DecidedRow[], deps: DecideDeps): Promise<Review> {
  const line = rows[0]?.line ?? 0;
  if (record.image.key === null) throw new Refused(line, "its image was never read");
  const kept: RecordCard[] = [];
  let changed = false;
  for (const [index, card] of record.cards.entries()) {
    const [row, another] = rows.filter((each) => each.card === index);
    if (another !== undefined) throw new Refused(another.line, `card ${index} is decided twice`);
    if (row === undefined) throw new Refused(line, `card ${index} of ${record.cards.length} has no decision`);
    const decided = await decideCard(card, row, { record, from: index, to: kept.length }, deps);
    if (decided !== card) changed = true;
    if (decided !== null) kept.push(decided);
  }
  const stray = rows.find(({ card }) => record.cards[card] === undefined);
  if (stray !== undefined) throw new Refused(stray.line, "there is no such card");
  const decision: Decision = kept.length === 0 ? "rejected" : changed ? "corrected" : "confirmed";
  return { imageKey: record.image.key, decision, by: deps.by, at: deps.now().toISOString(), cards: kept };
}

interface Place {
  readonly record: OutcomeRecord;
  /** The card's number among the machine's, and among those that are kept. */
  readonly from: number;
  readonly to: number;
}

/** @returns the card itself where it is confirmed; null where it is rejected */
async function decideCard(
  card: RecordCard,
  row: DecidedRow,
  place: Place,
  deps: DecideDeps,
): Promise<RecordCard | null> {
  switch (row.decision) {
    case "reject":
      return null;
    case "confirm":
      if (card.number === null)
        throw new Refused(row.line, "it has no number to confirm; write correct, and the number");
      if (isAnotherNumber(card, row, deps) || hasOtherFields(card, row)) {
        throw new Refused(row.line, "it says confirm, but the row was changed; write correct");
      }
      return place.from === place.to ? card : { ...card, number: await moveNumber(card, row, place, deps) };
    case "correct":
    case "correct-anyway":
      return correct(card, row, place, deps);
    default:
      throw new Refused(row.line, "the decision is none of confirm, correct, correct-anyway and reject");
  }
}

async function correct(card: RecordCard, row: DecidedRow, place: Place, deps: DecideDeps): Promise<RecordCard> {
  const { number } = row;
  if (number !== null) assertNumber(number, row);
  if (number === null && card.number === null) throw new Refused(row.line, "it says correct, but gives no number");
  const isOther = isAnotherNumber(card, row, deps);
  if (!isOther && !hasOtherFields(card, row)) {
    throw new Refused(row.line, "it says correct, but nothing was changed; write confirm");
  }
  for (const month of [row.issueDate, row.expiryDate]) {
    if (month !== "" && !MONTH.test(month)) throw new Refused(row.line, "dates are written as 2020-12");
  }
  return {
    ...card,
    ...(number !== null && isOther
      ? {
          number: await recordNumber(number, place.to, place.record.request as `r_${string}`, deps.seal),
          network: findNetwork(number.iin, number.length)?.network ?? null,
        }
      : { number: await moveNumber(card, row, place, deps) }),
    bank: row.bank === "" || row.bank === card.bank?.name ? card.bank : { name: row.bank, code: null },
    issueDate: row.issueDate === "" ? card.issueDate : row.issueDate,
    expiryDate: row.expiryDate === "" ? card.expiryDate : row.expiryDate,
  };
}

function assertNumber(number: Pan, { line, decision }: DecidedRow): void {
  if (number.hasForeignCharacters) {
    throw new Refused(
      line,
      "the number holds something besides digits; a spreadsheet may have rounded it: make the column text",
    );
  }
  if (!number.isCardLength) throw new Refused(line, `the number has ${number.length} digits`);
  if (!number.luhn && decision !== "correct-anyway") {
    throw new Refused(line, "the number's check digit is wrong; write correct-anyway where the card has it so");
  }
}

/** Of an outcome that only its asker can read nobody here can tell. */
function isAnotherNumber({ number }: RecordCard, row: DecidedRow, { vault }: DecideDeps): boolean {
  return row.number !== null && vault.fingerprint(row.number) !== number?.fingerprint;
}

function hasOtherFields(card: RecordCard, { bank, issueDate, expiryDate }: DecidedRow): boolean {
  const isOther = (text: string, value: string | null | undefined) => text !== "" && text !== value;
  return isOther(bank, card.bank?.name) || isOther(issueDate, card.issueDate) || isOther(expiryDate, card.expiryDate);
}

/** A number is sealed for its place in the outcome; where a card before it is rejected that is another one. */
async function moveNumber({ number }: RecordCard, { line }: DecidedRow, { record, from, to }: Place, deps: DecideDeps) {
  if (number === null || from === to) return number;
  try {
    const pan = await deps.vault.openNumber(number.jwe, { request: record.request, field: numberField(from) });
    return await recordNumber(pan, to, record.request as `r_${string}`, deps.seal);
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    throw new Refused(line, "only its asker can open it, so no card before it can be taken out");
  }
}
