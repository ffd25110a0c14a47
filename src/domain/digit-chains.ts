/**
 * Where text holds digits that may belong together: runs of them, or groups with one separator between.
 * It leaves out what cannot be a card number and decides nothing else; `pan-windows` does.
 */

/** Digits with nothing between them. */
export interface DigitGroup {
  /** Which of the chain's digits is its first. */
  readonly from: number;
  /** Where in the text it begins. */
  readonly start: number;
  /** ASCII digits: full-width ones are folded, one for one. */
  readonly digits: string;
  /** The separator before it; empty for the chain's first group. */
  readonly separator: string;
}

export interface DigitChain {
  /** Those of all its groups. */
  readonly digits: string;
  readonly groups: readonly DigitGroup[];
  /** Whether a letter touches the first or the last digit. */
  readonly gluedLeft: boolean;
  readonly gluedRight: boolean;
}

const SHORTEST_CHAIN = 13;
const DIGIT = "[0-9\\uFF10-\\uFF19]";
/** One space, dash, dot, underscore or plus of any script, as itself or escaped for a URL or for JSON. */
const SEPARATOR = [
  "[ \\t_.+\\-\\u00A0\\u00B7\\u2000-\\u200B\\u2010-\\u2015\\u202F\\u205F\\u2212\\u3000\\uFEFF\\uFF0D\\uFF0E\\uFF3F]",
  "%20|%2[DEde]|%C2%A0",
  "\\\\t|\\\\u(?:00[Aa]0|20[01][0-9A-Fa-f]|202[Ff]|3000)",
].join("|");
/** Escapes of URLs, JSON and terminals: they end in a letter or digit that is no neighbour of what follows. */
const ESCAPE = "%[0-9A-Fa-f]{2}|\\\\u[0-9A-Fa-f]{4}|\\\\[bfnrt]|\\[[0-9;]*m";

/** The shortest chain, and how it goes on, in steps: an unbounded repetition would run out of stack on a line of megabytes. */
const HEAD = new RegExp(`(${ESCAPE})?${DIGIT}(?:(?:${SEPARATOR})?${DIGIT}){${SHORTEST_CHAIN - 1}}`, "g");
const MORE = new RegExp(`(?:(?:${SEPARATOR})?${DIGIT}){1,1024}`, "y");
const GROUP = new RegExp(`(${SEPARATOR})?(${DIGIT}+)`, "g");
const LETTER_OR_DIGIT = /[0-9A-Za-z]/;

/** Every chain of at least 13 digits, from left to right, in time linear in the text. */
export function* digitChains(text: string): Generator<DigitChain> {
  const head = new RegExp(HEAD);
  for (let match = head.exec(text); match !== null; match = head.exec(text)) {
    const escapeLength = match[1]?.length ?? 0;
    const start = match.index + escapeLength;
    const end = endOfChain(text, head.lastIndex);
    const groups = readGroups(text.slice(start, end), start);
    yield {
      digits: groups.map(({ digits }) => digits).join(""),
      groups,
      gluedLeft: escapeLength === 0 && LETTER_OR_DIGIT.test(text.charAt(start - 1)),
      gluedRight: LETTER_OR_DIGIT.test(text.charAt(end)),
    };
    head.lastIndex = end;
  }
}

function endOfChain(text: string, headEnd: number): number {
  const more = new RegExp(MORE);
  let end = headEnd;
  more.lastIndex = end;
  while (more.test(text)) end = more.lastIndex;
  return end;
}

function readGroups(chain: string, start: number): DigitGroup[] {
  const groups: DigitGroup[] = [];
  let from = 0;
  for (const { 1: separator = "", 2: run = "", index } of chain.matchAll(GROUP)) {
    groups.push({ from, separator, start: start + index + separator.length, digits: run.normalize("NFKC") });
    from += run.length;
  }
  return groups;
}
