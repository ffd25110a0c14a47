import { setTimeout as sleep } from "node:timers/promises";
import { WEBHOOK_FIELD, WEBHOOK_SECRET_FIELD } from "../../domain/card-vault.js";
import { WEBHOOK_TYPE } from "../../domain/received.js";
import { beat } from "../../queue/beat.js";
import type { Delivery } from "../../queue/deliveries.js";
import { nextTry } from "../../webhooks/next-try.js";
import { createWebhookClient, type PostResult } from "../../webhooks/post.js";
import { signWebhook } from "../../webhooks/sign.js";
import type { Going } from "./going.js";
import type { ServingParts } from "./parts.js";

/** Outcomes told at a time. */
const AT_A_TIME = 64;
const LOOK_MS = 200;
/** How often it is said that they are still being told. */
const KEEP_MS = 2000;
const FAULT_MS = 2000;

/** Tells outcomes to whoever asked to be told, until each was taken or is given up. */
export function tellOutcomes(parts: ServingParts): Going {
  const { app, deliveries, policy } = parts;
  const client = createWebhookClient({ policy });
  const closing = new AbortController();
  const hurry = new AbortController();
  const underWay = new Map<string, Promise<void>>();
  /** Ends a nap: there is room for another one, or nothing more to do. */
  let wake = () => {};

  const tell = async (delivery: Delivery) => {
    const startedAt = performance.now();
    const result = await send(parts, client, delivery, hurry.signal);
    // Who was cut off by the end of this process is told again by another one.
    if (hurry.signal.aborted && result.kind !== "taken") return;
    const next = nextTry(result, delivery.attempts, Date.now() - delivery.sinceMs, Math.random);
    if (next.kind === "done") await deliveries.done(delivery.id);
    if (next.kind === "later") await deliveries.later(delivery.id, next.delayMs, next.reason);
    if (next.kind === "park") await deliveries.park(delivery, next.reason);
    app.emit({ type: "webhook-sent", result: next.kind, durationMs: performance.now() - startedAt });
  };
  const start = (delivery: Delivery) => {
    const telling = tell(delivery)
      .catch((error: unknown) => app.emit({ type: "fault", where: "webhook", error }))
      .finally(() => {
        underWay.delete(delivery.id);
        wake();
      });
    underWay.set(delivery.id, telling);
  };
  const nap = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (closing.signal.aborted) wake();
    });
  const run = async () => {
    while (!closing.signal.aborted) {
      try {
        const free = AT_A_TIME - underWay.size;
        const claimed = free === 0 ? [] : await deliveries.claim(free);
        for (const delivery of claimed) if (!underWay.has(delivery.id)) start(delivery);
        if (claimed.length > 0 && underWay.size < AT_A_TIME) continue;
        await nap();
      } catch (error) {
        app.emit({ type: "fault", where: "webhooks", error });
        await sleep(FAULT_MS, undefined, { signal: closing.signal }).catch(() => {});
      }
    }
  };
  const running = run();
  const stopKeeping = beat(
    KEEP_MS,
    () => deliveries.keep([...underWay.keys()]),
    () => {},
  );
  return {
    close: async () => {
      closing.abort();
      wake();
      hurry.abort();
      stopKeeping();
      await running;
      await Promise.all(underWay.values());
      client.close();
    },
  };
}

async function send(
  { app, apiKeys }: ServingParts,
  client: ReturnType<typeof createWebhookClient>,
  { id, key: keyId, webhook, outcome }: Delivery,
  signal: AbortSignal,
): Promise<PostResult> {
  const key = await apiKeys.get(keyId);
  if (key === null || key.revokedAt !== null) return { kind: "forbidden", reason: "the API key was revoked" };
  const url = await app.vault.openText(webhook, { request: keyId, field: WEBHOOK_FIELD });
  const valid = (await apiKeys.secrets(keyId)).filter(({ untilMs }) => untilMs === null || untilMs > Date.now());
  const secrets = await Promise.all(
    valid.map(({ sealed }) => app.vault.openText(sealed, { request: keyId, field: WEBHOOK_SECRET_FIELD })),
  );
  const body = `{"type":"${WEBHOOK_TYPE}","timestamp":"${new Date().toISOString()}","data":${outcome}}`;
  return client.post(url, body, signWebhook(id, Date.now(), body, secrets), signal);
}
