import type { ApiKey } from "../../domain/api-key.js";
import { ConfigError } from "../../domain/errors.js";
import { Problem } from "../../domain/problem.js";
import type { RequestState } from "../../domain/received.js";
import { revealRecord } from "../../vault/reveal.js";
import { appendAudit, auditPath } from "../../vault/reveal-audit.js";
import type { ServingParts } from "./parts.js";

/** Opens a request's numbers for a key that may see them, once that is recorded beside the keyring. @throws Problem */
export async function revealOutcome(
  { app: { vault, keyringPath } }: ServingParts,
  { request, outcome }: RequestState,
  { id, name }: ApiKey,
  reason: string,
): Promise<unknown> {
  const { record, count, open } = revealRecord(outcome, vault);
  const entry = { time: new Date().toISOString(), file: `request ${request}`, count, reason };
  try {
    await appendAudit(auditPath(keyringPath), { ...entry, user: `API key ${id} (${name})`, keyring: vault.keyringId });
  } catch (error) {
    if (error instanceof ConfigError) throw new Problem("unavailable", error.message);
    throw error;
  }
  const problems = await open();
  if (problems.length > 0) throw new Problem("conflict", `not opened: ${problems.map(({ code }) => code).join(", ")}`);
  return record;
}
