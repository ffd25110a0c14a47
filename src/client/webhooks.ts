import { createHmac, timingSafeEqual } from "node:crypto";
import type { z } from "zod";
import { webhookBodySchema } from "../domain/http-bodies.js";
import { CardbatchClientError } from "./client-error.js";

/** How old, or how far ahead, a webhook may be. @unit milliseconds */
const TOLERANCE_MS = 5 * 60_000;
const SECRET_PREFIX = "whsec_";

/** What a webhook tells: the outcome of a request. */
export interface WebhookEvent extends z.infer<typeof webhookBodySchema> {
  /** The same for every redelivery: what was handled under it is done. */
  readonly id: string;
}

export interface ReceivedWebhook {
  /** As Node's `request.headers` has them, or a `Headers`. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>> | Headers;
  /** The very bytes that came: parsing and writing JSON again changes them. */
  readonly body: string | Uint8Array;
}

export interface VerifyOptions {
  /** `whsec_…`; while a secret is changed, the old one and the new one. */
  readonly secret: string | readonly string[];
  /** @default the present @unit Unix time in ms */
  readonly nowMs?: number;
}

/**
 * Checks a webhook (Standard Webhooks) and gives back what it tells. Answer 2xx when it was taken, also the second time.
 * @throws CardbatchClientError `webhook-invalid`: answer 400 and do nothing
 */
export function verifyWebhook({ headers, body }: ReceivedWebhook, { secret, nowMs }: VerifyOptions): WebhookEvent {
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  const isRecent = Math.abs((nowMs ?? Date.now()) - Number(timestamp) * 1000) <= TOLERANCE_MS;
  if (!/^\d+$/.test(timestamp) || !isRecent) throw invalid("its time is missing, or not of now");
  const text = typeof body === "string" ? body : Buffer.from(body).toString("utf8");
  const signatures = header(headers, "webhook-signature").split(" ");
  const isSigned = [secret].flat().some((one) => {
    const expected = sign(one, `${id}.${timestamp}.${text}`);
    return signatures.some((signature) => isSame(signature, expected));
  });
  if (!isSigned) throw invalid("no signature of it is right");
  const parsed = webhookBodySchema.safeParse(parseJson(text));
  if (!parsed.success) throw invalid("it is signed, and of a kind that is not known here");
  return { ...parsed.data, id };
}

function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), "base64");
  // An empty key would take a signature from anybody.
  if (!secret.startsWith(SECRET_PREFIX) || key.length === 0) throw invalid("the secret is none: it begins with whsec_");
  return `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function header(headers: ReceivedWebhook["headers"], name: string): string {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  return typeof value === "string" ? value : "";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function invalid(why: string): CardbatchClientError {
  return new CardbatchClientError("webhook-invalid", `the webhook is refused: ${why}`);
}
