import { numberField } from "../domain/card-vault.js";
import type { DigitMatch } from "../domain/digit-match.js";
import { Pan, revealPan } from "../domain/pan.js";
import type { OutcomeRecord } from "../domain/record.js";
import type { Vault } from "./vault.js";
import { VaultError } from "./vault-error.js";

/**
 * Compares the number of a record's first card with its label, by the alignment with the fewest errors. Null when the number
 * was encrypted by another keyring.
 */
export async function matchDigits(vault: Vault, record: OutcomeRecord, label: Pan | null): Promise<DigitMatch | null> {
  const digits = label === null ? "" : revealPan(label);
  const jwe = record.cards[0]?.number?.jwe;
  try {
    const read = jwe === undefined ? new Pan("") : await openFirst(vault, jwe, record);
    return align(revealPan(read), digits);
  } catch (error) {
    if (error instanceof VaultError) return null;
    throw error;
  }
}

/** A duplicate carries the cards of the request it repeats, which may be sealed for that one. */
async function openFirst(vault: Vault, jwe: string, { request, duplicateOf }: OutcomeRecord): Promise<Pan> {
  const field = numberField(0);
  try {
    return await vault.openNumber(jwe, { request, field });
  } catch (error) {
    if (duplicateOf === undefined || !(error instanceof VaultError) || error.code !== "vault-binding") throw error;
    return vault.openNumber(jwe, { request: duplicateOf, field });
  }
}

interface Cell {
  readonly errors: number;
  readonly right: number;
}

/** Levenshtein's table, row by row; of alignments with equally few errors, the one with the most right digits. */
function align(read: string, label: string): DigitMatch {
  let row = Array.from({ length: label.length + 1 }, (_, missed): Cell => ({ errors: missed, right: 0 }));
  for (const digit of read) {
    const next: Cell[] = [{ errors: (row[0]?.errors ?? 0) + 1, right: 0 }];
    for (let i = 0; i < label.length; i++) {
      const isRight = label[i] === digit;
      next.push(better(better(after(row[i], isRight ? 0 : 1, isRight), after(row[i + 1], 1)), after(next[i], 1)));
    }
    row = next;
  }
  const { errors, right } = row[label.length] ?? { errors: 0, right: 0 };
  return { labelled: label.length, right, extra: errors - (label.length - right) };
}

function after(cell: Cell = { errors: 0, right: 0 }, errors: number, isRight = false): Cell {
  return { errors: cell.errors + errors, right: cell.right + (isRight ? 1 : 0) };
}

function better(a: Cell, b: Cell): Cell {
  if (a.errors !== b.errors) return a.errors < b.errors ? a : b;
  return a.right >= b.right ? a : b;
}
