import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { ConfigError } from "../domain/errors.js";
import { maskPansIn, maskReference } from "../domain/find-pans.js";

/** Who had numbers shown, when, of what and why; never a number. */
export interface AuditEntry {
  /** ISO 8601 */
  readonly time: string;
  readonly file: string;
  /** How many sealed numbers and references the file holds. */
  readonly count: number;
  readonly reason: string;
  readonly user: string;
  readonly keyring: string;
}

/** Beside the keyring: who can reveal can also record, and both are backed up together. */
export function auditPath(keyringPath: string): string {
  return join(dirname(keyringPath), "reveal-audit.ndjson");
}

/** The user the process runs as; by number where the system has no name for it, as in containers. */
export function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

/**
 * Appends one line and returns when it is on disk.
 * @throws ConfigError when that cannot be
 */
export async function appendAudit(path: string, entry: AuditEntry): Promise<void> {
  const masked = { ...entry, file: maskReference(entry.file), reason: maskPansIn(entry.reason, "name") };
  try {
    const file = await open(path, FLAGS, OWNER_ONLY);
    try {
      await file.appendFile(`${JSON.stringify(masked)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    throw new ConfigError(`nothing was revealed: it cannot be recorded in ${path}: ${code}`);
  }
}

const OWNER_ONLY = 0o600;
const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
