import { createHash, randomBytes } from "node:crypto";
import type { App } from "../app.js";
import { type ApiKey, apiKeySchema, formatApiKey, inLetters, type Scope } from "../domain/api-key.js";
import { WEBHOOK_FIELD, WEBHOOK_SECRET_FIELD } from "../domain/card-vault.js";
import { UsageError } from "../domain/errors.js";
import { API_DESTINATION } from "../domain/received.js";
import type { ApiKeys } from "../queue/api-keys.js";
import { newWebhookSecret } from "../webhooks/sign.js";
import { findTargetFault } from "../webhooks/target.js";
import { webhookPolicyOf } from "./serving/parts.js";

/** How long what was signed with is signed with besides, once a new secret is there. @unit milliseconds */
const ROTATION_MS = 24 * 3_600_000;

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** HTTP requests a second. */
  readonly rate: number;
  readonly webhook: string | null;
  /** A public JWK that the outcomes are encrypted to. */
  readonly jwk: unknown;
}

/** What is told once and never again. */
export interface MadeApiKey {
  readonly id: string;
  readonly key: string;
  readonly webhookSecret: string;
}

type Parts = Pick<App, "config" | "vault" | "recipients">;

/** @throws UsageError for a name, webhook or JWK that is not taken */
export async function makeApiKey(app: Parts, apiKeys: ApiKeys, wanted: NewApiKey): Promise<MadeApiKey> {
  const id = inLetters(randomBytes(4));
  const secret = randomBytes(32);
  const destination = wanted.jwk === null ? API_DESTINATION : `${API_DESTINATION}-${id}`;
  const parsed = apiKeySchema.safeParse({
    id,
    name: wanted.name,
    digest: createHash("sha256").update(secret).digest("hex"),
    scopes: wanted.scopes,
    rate: wanted.rate,
    destination,
    createdAt: new Date().toISOString(),
    revokedAt: null,
  });
  if (!parsed.success) throw new UsageError(`the API key's name: ${parsed.error.issues[0]?.message ?? "is refused"}`);
  const webhook = wanted.webhook === null ? null : await sealWebhook(app, id, wanted.webhook);
  const webhookSecret = newWebhookSecret();
  if (wanted.jwk !== null) await app.recipients.set(destination, app.vault.recordRecipient(destination, wanted.jwk));
  await apiKeys.setWebhook(id, webhook);
  await apiKeys.setSecrets(id, [{ sealed: await sealSecret(app, id, webhookSecret), untilMs: null }]);
  await apiKeys.put(parsed.data);
  return { id, key: formatApiKey(id, secret), webhookSecret };
}

/** Refuses the key from now on. @throws UsageError when there is none */
export async function revokeApiKey(apiKeys: ApiKeys, id: string): Promise<ApiKey> {
  const key = await findApiKey(apiKeys, id);
  const revoked = { ...key, revokedAt: key.revokedAt ?? new Date().toISOString() };
  await apiKeys.put(revoked);
  return revoked;
}

/** Signs webhooks with a new secret, and for a day with those before, too. @throws UsageError when there is no such key */
export async function rotateWebhookSecret(app: Parts, apiKeys: ApiKeys, id: string): Promise<string> {
  await findApiKey(apiKeys, id);
  const webhookSecret = newWebhookSecret();
  const nowMs = Date.now();
  const before = (await apiKeys.secrets(id)).filter(({ untilMs }) => untilMs === null || untilMs > nowMs);
  await apiKeys.setSecrets(id, [
    { sealed: await sealSecret(app, id, webhookSecret), untilMs: null },
    ...before.map(({ sealed, untilMs }) => ({ sealed, untilMs: untilMs ?? nowMs + ROTATION_MS })),
  ]);
  return webhookSecret;
}

async function findApiKey(apiKeys: ApiKeys, id: string): Promise<ApiKey> {
  const key = await apiKeys.get(id);
  if (key === null) throw new UsageError(`there is no API key ${id}; see cardbatch keys api list`);
  return key;
}

async function sealWebhook({ config, vault }: Parts, id: string, url: string): Promise<string> {
  const fault = findTargetFault(url, webhookPolicyOf(config.webhookAllow));
  if (fault !== null) throw new UsageError(`the webhook's address ${fault}`);
  return vault.sealText(url, { request: id, field: WEBHOOK_FIELD });
}

function sealSecret({ vault }: Parts, id: string, secret: string): Promise<string> {
  return vault.sealText(secret, { request: id, field: WEBHOOK_SECRET_FIELD });
}
