import { blankPansIn } from "../domain/find-pans.js";

export interface ScrubbedLine {
  readonly line: string;
  /** How many card numbers were in it. Each is a bug of whoever logged it. */
  readonly hits: number;
}

/**
 * The last look at a log line, after the logger has made it a string: whatever the depth, the key, or the text it is part of,
 * secrets are taken out and of card numbers only the first six and last four digits stay. What was JSON stays JSON; a
 * second scrubbing changes nothing.
 *
 * It does what a logger's list of paths would do for secrets, too: such a list knows fixed depths only, and takes longer.
 */
export function scrubLine(line: string): ScrubbedLine {
  const { text, hits } = blankPansIn(scrubSecrets(line));
  return { line: text, hits };
}

/** Parts of the names of fields and headers that hold secrets, in any spelling. */
const SECRET_NAMES = [
  "authorization",
  "cookie",
  "token",
  "secret",
  "passw",
  "signature",
  "credential",
  "app[_-]?code",
  "private[_-]?key",
];
/** All repetitions are bounded: on a line of megabytes, an unbounded one would run out of stack. */
const NAME = `[\\w-]{0,40}(?:${SECRET_NAMES.join("|")})[\\w-]{0,40}`;
const REDACTED = "[redacted]";

/** Up to where the value of a string field begins. */
const FIELD = new RegExp(`"${NAME}"\\s{0,8}:\\s{0,8}"`, "gi");
/** The same inside of a string, where quotes are escaped, once or more often. */
const ESCAPED_FIELD = new RegExp(`\\\\{1,8}"${NAME}\\\\{1,8}"\\s{0,8}:\\s{0,8}\\\\{1,8}"`, "gi");
const QUERY_PARAMETER = new RegExp(`[?&;]${NAME}=`, "gi");
const SCHEME_AND_TOKEN = /\b(?:Bearer|Basic|APPCODE) {1,4}(?=[\w.~+/=-]{8})/gi;
/** An image, or a vendor's crop of one: a card number in another form. */
const IMAGE = /"(?=(?:data:[\w/+.-]{0,40};base64,)?[A-Za-z0-9+/_-]{500})/g;

type EndOf = (line: string, from: number) => number;

/** What opens a secret, and where it ends. */
const SECRETS: readonly (readonly [opening: RegExp, endOf: EndOf])[] = [
  [IMAGE, closingQuote],
  [FIELD, closingQuote],
  [ESCAPED_FIELD, before(/["\\]/g)],
  [QUERY_PARAMETER, before(/[\s"'\\&;,]/g)],
  [SCHEME_AND_TOKEN, before(/[\s"'\\&;,]/g)],
];

function scrubSecrets(line: string): string {
  return SECRETS.reduce((text, [opening, endOf]) => redact(text, opening, endOf), line);
}

/** Replaces what follows each opening, up to its end. */
function redact(line: string, opening: RegExp, endOf: EndOf): string {
  let redacted = "";
  let rest = 0;
  for (const match of line.matchAll(opening)) {
    if (match.index < rest) continue;
    const from = match.index + match[0].length;
    redacted += line.slice(rest, from) + REDACTED;
    rest = endOf(line, from);
  }
  return rest === 0 ? line : redacted + line.slice(rest);
}

/** Where a JSON string ends; the end of the line when it does not. */
function closingQuote(line: string, from: number): number {
  for (let quote = line.indexOf('"', from); quote >= 0; quote = line.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (line[quote - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return quote;
  }
  return line.length;
}

/** Where the next of these characters is; the end of the line when there is none. */
function before(characters: RegExp): EndOf {
  return (line, from) => {
    characters.lastIndex = from;
    return characters.exec(line)?.index ?? line.length;
  };
}
