import { existsSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Environment, runProgram } from "./programs.js";
import type { RedisServer } from "./server-program.js";

/** What a power cut can leave at the end of a file whose every write was synced. More than that is other damage. */
const MOST_CUT_BYTES = 1024 * 1024;
const TIMEOUT_MS = 600_000;
/** Where Redis 7 and later, and before it, keep the append-only file. */
const FILES = ["appendonlydir/appendonly.aof.manifest", "appendonly.aof"];

/**
 * Cuts a damaged end off the append-only file, as redis-check-aof does, if it is short; a server only forgives an end that
 * is missing. More damage is left to a person: everything after it would go.
 * @returns how many bytes were cut; null when nothing was
 */
export async function repairAppendOnlyFile(
  server: RedisServer,
  { dataFolder, env }: { readonly dataFolder: string; readonly env: Environment },
  signal: AbortSignal,
): Promise<number | null> {
  const file = FILES.map((name) => join(dataFolder, name)).find(existsSync);
  if (file === undefined || server.inContainer) return null;
  const checker = linkAsChecker(server, dataFolder);
  const libraries = server.libraryPath === null ? {} : { LD_LIBRARY_PATH: server.libraryPath };
  const run = { env: { ...env, ...libraries }, signal, timeoutMs: TIMEOUT_MS };
  const checked = await runProgram(checker, [file], run);
  const cutBytes = Number([...checked.stdout.matchAll(/diff=(\d+)/g)].at(-1)?.[1] ?? 0); // the damaged file comes last
  if (checked.ok || cutBytes === 0 || cutBytes > MOST_CUT_BYTES) return null;
  const repaired = await runProgram(checker, ["--fix", file], { ...run, input: "y\n" });
  return repaired.ok ? cutBytes : null;
}

/** The server's program is also the checker, when called by that name. */
function linkAsChecker({ command: [program], version }: RedisServer, folder: string): string {
  const link = join(folder, `${version.split(" ", 1)[0]}-check-aof`);
  rmSync(link, { force: true });
  symlinkSync(program, link);
  return link;
}
