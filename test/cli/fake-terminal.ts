import { stripVTControlCharacters } from "node:util";
import { createTerminal, type Terminal } from "../../src/cli/terminal.js";

export interface FakeTerminal {
  readonly terminal: Terminal;
  /** Everything written to stderr, escapes and all. */
  written(): string;
  /** What a person sees on stderr in the end. */
  screen(): string[];
  readonly data: () => string;
}

interface Look {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export function fakeTerminal({ isTTY = true, columns = 80, env = {} }: Look = {}): FakeTerminal {
  let out = "";
  let err = "";
  const stream = (take: (text: string) => void) => ({ isTTY, columns, write: take });
  const terminal = createTerminal(
    stream((text) => {
      out += text;
    }),
    stream((text) => {
      err += text;
    }),
    env,
  );
  return { terminal, written: () => err, screen: () => render(err), data: () => out };
}

const CLEAR_LINE = "\r\u001b[2K";

/** Obeys the one escape that counts: back to the line's start, and clear it; colours are dropped. */
function render(text: string): string[] {
  return text.split("\n").map((line) => stripVTControlCharacters(line.split(CLEAR_LINE).at(-1) ?? ""));
}
