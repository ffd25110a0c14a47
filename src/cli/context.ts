import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Surroundings } from "../app.js";
import { environment, loadConfig } from "../config/load-config.js";
import type { Config } from "../config/settings.js";
import type { StopSignals } from "../domain/dispatcher.js";
import { createTerminal, type Terminal } from "./terminal.js";

/** What every command gets: its streams, the surroundings, the settings, and how it is asked to stop. */
export interface Context {
  readonly terminal: Terminal;
  readonly surroundings: Surroundings;
  /** @throws ConfigError */
  readonly config: (file: string | undefined) => Config;
  readonly stop: StopSignals;
  /** The signal that asked for the stop; null while nobody has. */
  readonly stoppedBy: () => NodeJS.Signals | null;
}

const PACKAGE_ROOT = fileURLToPath(new URL("../..", import.meta.url));

export function createContext(): Context {
  const env = environment();
  const terminal = createTerminal(process.stdout, process.stderr, env);
  const { version } = JSON.parse(readFileSync(`${PACKAGE_ROOT}/package.json`, "utf8")) as { version: string };
  const { stop, stoppedBy } = listenForStop(terminal);
  return {
    terminal,
    surroundings: {
      env,
      packageRoot: PACKAGE_ROOT.replace(/\/$/, ""),
      version,
      writeLog: (line) => terminal.raw(line),
      prettyLog: terminal.isTty,
      color: terminal.color,
      report: (message) => terminal.message(message),
    },
    config: (file) => loadConfig(env, file),
    stop,
    stoppedBy,
  };
}

/** npm passes a terminal's Ctrl-C on to its child, which has had it already. @unit milliseconds */
const ECHO_MS = 300;

/** Once: no new work, calls under way finish. Twice: these are given up too. Three times: the process ends. */
function listenForStop(terminal: Terminal) {
  const soft = new AbortController();
  const hard = new AbortController();
  // Every job that waits listens.
  setMaxListeners(0, soft.signal, hard.signal);
  let by: NodeJS.Signals | null = null;
  let lastAtMs = Number.NEGATIVE_INFINITY;
  const onSignal = (signal: NodeJS.Signals) => {
    const isEcho = performance.now() - lastAtMs < ECHO_MS;
    lastAtMs = performance.now();
    if (isEcho) return;
    by ??= signal;
    if (!soft.signal.aborted) {
      terminal.message("stopping: calls under way are finished first; once more to give them up");
      soft.abort();
    } else if (!hard.signal.aborted) {
      terminal.message("giving up calls under way");
      hard.abort();
    } else {
      process.exit(130);
    }
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return { stop: { soft: soft.signal, hard: hard.signal }, stoppedBy: () => by };
}

/** Waits for a signal, for commands that go on until they are stopped. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
