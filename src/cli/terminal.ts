/** The streams of a command: data on stdout, everything for people on stderr, and one line there that may be redrawn. */
export interface Terminal {
  readonly isTty: boolean;
  readonly color: boolean;
  readonly columns: () => number;
  /** A line of data on stdout. */
  data(line: string): void;
  /** A message on stderr; the live line steps aside. */
  message(text: string): void;
  /** Text that ends with its own line end, such as a log line. */
  raw(text: string): void;
  /** Redraws the live line; null takes it away. Does nothing where stderr is not a terminal. */
  live(line: string | null): void;
}

interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const CLEAR_LINE = "\r\u001b[2K";

export function createTerminal(
  stdout: Stream,
  stderr: Stream,
  env: Readonly<Record<string, string | undefined>>,
): Terminal {
  const isTty = stderr.isTTY === true && env.TERM !== "dumb";
  let line: string | null = null;
  const aside = (text: string) => stderr.write(line === null ? text : `${CLEAR_LINE}${text}${line}`);
  return {
    isTty,
    color: isTty && (env.NO_COLOR ?? "") === "",
    // Some pseudo-terminals say that they have none.
    columns: () => stderr.columns || 80,
    data: (text) => void stdout.write(`${text}\n`),
    message: (text) => void aside(`${text}\n`),
    raw: (text) => void aside(text),
    live: (text) => {
      if (!isTty || (text === null && line === null)) return;
      line = text;
      stderr.write(text === null ? CLEAR_LINE : CLEAR_LINE + text);
    },
  };
}

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly red: (text: string) => string;
}

export function createPaint(color: boolean): Paint {
  const wrap = (code: number) => (text: string) => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bold: wrap(1), dim: wrap(2), green: wrap(32), yellow: wrap(33), red: wrap(31) };
}
