import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { App } from "../app.js";
import type { Schedule } from "../domain/schedule.js";
import { createWebhookClient, type PostResult } from "../webhooks/post.js";
import { signWebhook } from "../webhooks/sign.js";
import type { NightReport } from "./nightly.js";
import { webhookPolicyOf } from "./serving/parts.js";

/** What receivers know a message by. */
const WEBHOOK_TYPE = "schedule.finished";
const TRIES = 5;
const FIRST_WAIT_MS = 2000;

/**
 * Sends a run's report, a few times if need be. Nobody is held up for long by a receiver that is away: the report stands in its
 * file, and the log says that it was not taken.
 */
export async function tellNight(
  app: Pick<App, "config" | "emit">,
  { url, secret }: NonNullable<Schedule["webhook"]>,
  report: NightReport,
  signal: AbortSignal,
): Promise<void> {
  const client = createWebhookClient({ policy: webhookPolicyOf(app.config.webhookAllow) });
  const id = `msg_${createHash("sha256").update(`${report.schedule} ${report.run}`).digest("base64url").slice(0, 22)}`;
  const body = JSON.stringify({ type: WEBHOOK_TYPE, timestamp: report.finishedAt, data: report });
  try {
    for (let tries = 1, waitMs = FIRST_WAIT_MS; ; tries++, waitMs *= 2) {
      const startedAt = performance.now();
      const result = await client.post(url, body, signWebhook(id, Date.now(), body, [secret]), signal);
      const next = result.kind === "taken" ? "done" : result.kind === "forbidden" || tries === TRIES ? "park" : "later";
      app.emit({ type: "webhook-sent", result: next, durationMs: performance.now() - startedAt });
      if (next === "park")
        return app.emit({ type: "fault", where: `schedule webhook: ${reasonOf(result)}`, error: null });
      if (next === "done") return;
      await sleep(waitMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
    }
  } finally {
    client.close();
  }
}

function reasonOf(result: PostResult): string {
  return result.kind === "refused" ? `the receiver answered ${result.status}` : "reason" in result ? result.reason : "";
}
