import { writeFile } from "node:fs/promises";
import type { App } from "../app.js";
import { SOURCE_FIELD } from "../domain/card-vault.js";
import type { OutcomeRecord } from "../domain/record.js";
import { sumPages } from "../queue/fleet.js";
import { type Accuracy, measureAccuracy } from "../results/accuracy.js";
import { writeCsv } from "../results/csv-file.js";
import { checkAccounts, countFailures, type Summary, summarize, writeSummary } from "../results/summary.js";
import type { RunResult } from "./run-batch.js";

export interface FinishOptions {
  /** A file of labels. */
  readonly truth?: string;
  readonly csv?: true;
  readonly metricsFile?: string;
}

export interface RunReport {
  readonly summary: Summary;
  readonly accuracy: Accuracy | null;
  /** The files and the accounts disagree, and how; null: they agree. */
  readonly mismatch: string | null;
}

/** Writes what belongs beside the results. */
export async function finish(app: App, result: RunResult, options: FinishOptions): Promise<RunReport> {
  const { folder, batch, counts, before, seconds, feed } = result;
  const summary = summarize({
    batch: batch.name,
    counts,
    before,
    seconds,
    ignored: feed.ignored,
    failures: await countFailures(folder),
    keyring: app.keyringPath,
    finishedAt: new Date(),
  });
  await writeSummary(folder, summary);
  if (options.csv === true) await writeCsv(folder);
  if (options.metricsFile !== undefined) {
    // What ends tells of its own batch, and of nothing that goes on without it.
    app.metrics.setFleet({ pages: sumPages([counts]), lastProgressMs: Date.now() });
    await writeFile(options.metricsFile, await app.metrics.text());
  }
  const accuracy = options.truth === undefined ? null : await measureAccuracy(folder, options.truth, accuracyDeps(app));
  return { summary, accuracy, mismatch: await checkAccounts(folder, counts) };
}

export function accuracyDeps({ vault }: App) {
  return {
    fingerprint: vault.fingerprint,
    openSource: ({ request, image }: OutcomeRecord) =>
      vault.openText(image.sourceJwe ?? "", { request, field: SOURCE_FIELD }),
  };
}
