import { execFileSync } from "node:child_process";

/** Whether this system can limit files while a process runs. */
export const CAN_LIMIT_FILES = hasPrlimit();

/** A disk that is full as far as this process can tell: no file grows beyond so many bytes while `act` runs. */
export async function withFileSizeLimit<T>(bytes: number, act: () => Promise<T>): Promise<T> {
  limit(String(bytes));
  try {
    return await act();
  } finally {
    limit("unlimited");
  }
}

/** The soft limit alone, which anybody may raise again. */
function limit(bytes: string): void {
  execFileSync("prlimit", ["--pid", String(process.pid), `--fsize=${bytes}:`]);
}

function hasPrlimit(): boolean {
  try {
    execFileSync("prlimit", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
