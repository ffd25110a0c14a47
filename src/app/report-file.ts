import { appendFile, open } from "node:fs/promises";

/** A line is never longer. @unit bytes */
const TAIL_BYTES = 64 * 1024;

/** Appends a line of JSON; one that was torn when a process died is left on a line of its own. */
export async function appendReport(path: string, report: object): Promise<void> {
  const tail = await readTail(path);
  const start = tail === "" || tail.endsWith("\n") ? "" : "\n";
  await appendFile(path, `${start}${JSON.stringify(report)}\n`);
}

/** The last whole line; null when there is none. */
export async function readLastReport(path: string): Promise<{ readonly run?: unknown } | null> {
  const lines = (await readTail(path)).split("\n");
  try {
    return JSON.parse(lines.at(-2) ?? "") as { run?: unknown };
  } catch {
    return null;
  }
}

async function readTail(path: string): Promise<string> {
  const file = await open(path).catch(() => null);
  if (file === null) return "";
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer } = await file.read({ buffer: Buffer.alloc(length), position: size - length });
    return buffer.toString("utf8");
  } finally {
    await file.close();
  }
}
