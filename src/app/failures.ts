import type { App } from "../app.js";
import { answerKey } from "../domain/answer.js";
import type { Batch } from "../domain/batch.js";
import { ERROR_CATALOGUE, type ErrorCode, UsageError } from "../domain/errors.js";
import type { ImageJob, RequestId } from "../domain/payload.js";
import { createReopen, readFailures } from "../queue/failures.js";
import type { KeptFailure } from "../queue/kept-failure.js";
import { ANSWER_OPTIONS } from "./providers.js";
import type { Reader } from "./reading.js";

export interface FailuresOfCode {
  readonly code: ErrorCode;
  readonly count: number;
  /** What to do about it. */
  readonly hint: string;
  /** One of them; digits of a card number in its source are masked. */
  readonly example: { readonly request: RequestId; readonly source: string; readonly message: string };
}

export interface BatchFailures {
  readonly batch: string;
  /** By the batch's accounts: those that are written down. */
  readonly failed: number;
  /** The most frequent first. One that was published a moment ago may be here and not in `failed` yet. */
  readonly codes: readonly FailuresOfCode[];
}

/**
 * What has failed in a batch and what to do about it, by code; changes nothing.
 * @throws UsageError when there is no such batch
 */
export async function countFailuresByCode(
  { redis, keys, batches }: Pick<Reader, "redis" | "keys" | "batches">,
  name: string,
): Promise<BatchFailures> {
  if ((await batches.get(name)) === null) throw new UsageError(`batch ${name}: there is no such batch`);
  const byCode = new Map<ErrorCode, FailuresOfCode>();
  for await (const failures of readFailures(redis, keys, name)) {
    for (const { code, request, source, message } of failures) {
      const before = byCode.get(code);
      const example = before?.example ?? { request, source, message };
      byCode.set(code, { code, count: (before?.count ?? 0) + 1, hint: ERROR_CATALOGUE[code].hint, example });
    }
  }
  const { outcomes } = await batches.counts(name);
  const codes = [...byCode.values()].sort((a, b) => b.count - a.count);
  return { batch: name, failed: outcomes.failed, codes };
}

export interface Retried {
  readonly batch: string;
  /** Enqueued again. */
  readonly retried: number;
  /** They have a job, or their failure has not been written down yet. */
  readonly underWay: number;
  /** Their source does not list them as files that can be opened; they come again when it does. */
  readonly unlisted: number;
}

/**
 * Enqueues failed requests of a batch again, with the files as they are now; each costs a call where no answer is stored, and
 * where the vendor had refused the image for good. Its failure counts until the new outcome is written, and that is the one
 * that stands then.
 * @param codes only failures of these; null: all
 * @throws UsageError when there is no such batch, or it is cancelled
 */
export async function retryFailures(
  app: Pick<App, "redis" | "keys" | "batches" | "images" | "vault">,
  name: string,
  codes: readonly ErrorCode[] | null,
): Promise<Retried> {
  const batch = await app.batches.get(name);
  if (batch === null) throw new UsageError(`batch ${name}: there is no such batch`);
  if (batch.halt === "cancelled") throw new UsageError(`batch ${name}: it was cancelled; run its sources again`);
  const reopen = createReopen(app.redis, app.keys);
  const totals = { retried: 0, underWay: 0, unlisted: 0 };
  for await (const failures of readFailures(app.redis, app.keys, name)) {
    const jobs: { request: RequestId; job: ImageJob }[] = [];
    for (const failure of failures) {
      const { request, code, job } = failure;
      if (codes !== null && !codes.includes(code)) continue;
      if (job === null) {
        totals.unlisted++;
        continue;
      }
      const reopened = await reopen(name, failure, job.destination ?? batch.destination);
      if (reopened === "under-way") totals.underWay++;
      if (reopened !== "open") continue;
      await forgetRefusals(app, batch, failure);
      jobs.push({ request, job });
    }
    await app.images.add(jobs);
    totals.retried += jobs.length;
  }
  return { batch: name, ...totals };
}

/** A refusal is kept like an answer, so that nobody pays for it twice; whoever asks for the image again means to. */
async function forgetRefusals(
  { redis, keys, vault }: Pick<App, "redis" | "keys" | "vault">,
  { providers }: Batch,
  { key: imageKey, page }: KeptFailure,
): Promise<void> {
  if (imageKey === null) return;
  for (const provider of providers) {
    const key = answerKey(imageKey, page, provider, ANSWER_OPTIONS[provider]);
    const stored = await redis.getBuffer(keys.answer(key));
    if (stored === null) continue;
    const sealed = stored.subarray(stored.indexOf("|") + 1);
    if (vault.openAnswer(sealed, key).kind === "refusal") await redis.del(keys.answer(key));
  }
}
