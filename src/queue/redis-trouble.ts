/** The first words of replies by which a server refuses for now what it would do otherwise (Redis' `src/server.c`, `sharedObjects`). */
const REFUSALS = [
  "OOM",
  "READONLY",
  "UNBLOCKED",
  "MISCONF",
  "LOADING",
  "MASTERDOWN",
  "NOREPLICAS",
  "BUSY",
  "CLUSTERDOWN",
] as const;
type Refusal = (typeof REFUSALS)[number];

/** Before Redis 7 a script's error has the reply's first word in its middle, after a dash. */
const REFUSAL = new RegExp(`(?:^|-)(${REFUSALS.join("|")}) `);

const IN_WORDS: Readonly<Record<Refusal, string>> = {
  OOM: "Redis is full: make room, or raise its maxmemory",
  READONLY: "Redis takes no writes: it is a replica",
  UNBLOCKED: "Redis has become a replica",
  MISCONF: "Redis takes no writes: it cannot save to its disk",
  LOADING: "Redis is loading its data",
  MASTERDOWN: "Redis takes no writes: its master is down",
  NOREPLICAS: "Redis takes no writes: it has too few replicas",
  BUSY: "Redis is busy with a script",
  CLUSTERDOWN: "the Redis cluster is down",
};

function refusalOf(error: Error): Refusal | null {
  if (error.name !== "ReplyError") return null;
  return (REFUSAL.exec(error.message)?.[1] as Refusal | undefined) ?? null;
}

/** The server is there and does not take the command at present. */
export function isRefusal(error: Error): boolean {
  return refusalOf(error) !== null;
}

/** The connection broke, or cannot be made. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("syscall" in error || error.name === "AbortError" || error.name === "ConnectionClosedError") return true;
  // The library has no other mark for these.
  return /^(Connection is closed|Socket timeout|connect ETIMEDOUT|Stream isn't writeable)/.test(error.message);
}

/** What is wrong, for people. */
export function describeTrouble(error: Error): string {
  const refusal = refusalOf(error);
  if (refusal !== null) return IN_WORDS[refusal];
  return "code" in error ? `Redis cannot be reached (${error.code})` : "Redis does not answer";
}
