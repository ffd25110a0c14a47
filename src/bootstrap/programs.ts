import { execFile } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The first executable file of that name in the folders of a PATH; null when there is none. */
export function findProgram(name: string, path: string | undefined): string | null {
  for (const folder of (path ?? "").split(delimiter)) {
    const file = join(folder, name);
    if (folder !== "" && isExecutable(file)) return file;
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

export interface RunOptions {
  readonly env: Environment;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly cwd?: string;
  /** Written to the program's standard input. */
  readonly input?: string;
}

export interface RunResult {
  readonly ok: boolean;
  readonly stdout: string;
  /** For people: why it failed, in one line. */
  readonly problem: string;
}

const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

/**
 * Runs a program to its end. That it fails is an expected outcome, not an error.
 * @throws the signal's reason when it is aborted
 */
export async function runProgram(command: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { env, signal, timeoutMs, cwd, input } = options;
  const result = await new Promise<RunResult>((resolve) => {
    const child = execFile(
      command,
      args,
      {
        env: { ...env },
        timeout: timeoutMs,
        signal,
        maxBuffer: MAX_OUTPUT_BYTES,
        ...(cwd === undefined ? {} : { cwd }),
      },
      (error, stdout, stderr) => {
        resolve({ ok: error === null, stdout, problem: error === null ? "" : problemOf(error, stderr || stdout) });
      },
    );
    child.stdin?.on("error", () => {}); // a program that ends without reading is no fault
    child.stdin?.end(input ?? "");
  });
  signal.throwIfAborted();
  return result;
}

function problemOf(error: Error & { code?: unknown; killed?: boolean }, output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  const telling = lines.findLast((line) => /^E: |error/i.test(line)) ?? lines.findLast((line) => line !== "");
  if (error.killed) return "took too long";
  return (telling ?? `ended with ${String(error.code)}`).slice(0, 300);
}
