import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { webhookPolicyOf } from "../app/serving/parts.js";
import { type App, openApp } from "../app.js";
import { type ApiKey, apiKeySchema, formatApiKey, inLetters, SCOPES, type Scope } from "../domain/api-key.js";
import { WEBHOOK_FIELD, WEBHOOK_SECRET_FIELD } from "../domain/card-vault.js";
import { UsageError } from "../domain/errors.js";
import { API_DESTINATION } from "../domain/received.js";
import { createApiKeys, type WebhookSecret } from "../queue/api-keys.js";
import { newWebhookSecret } from "../webhooks/sign.js";
import { findTargetFault } from "../webhooks/target.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";

/** How long what was signed with is signed with besides, once a new secret is there. @unit milliseconds */
const ROTATION_MS = 24 * 3_600_000;

interface AddOptions {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly rate: number;
  readonly webhook?: string;
  readonly jwk?: string;
  readonly config?: string;
}

/** `cardbatch keys api …`: who may ask `serve`. */
export function addApiKeys(keys: Command, context: Context): void {
  const api = keys.command("api").description("API keys: who may ask `serve`, and for what");
  const command = (name: string, description: string) =>
    api.command(name).description(description).option("--config <file>", "settings as JSON");
  command("add", "make an API key; shown once, on stdout")
    .requiredOption("--name <name>", "whose it is")
    .option("--scopes <scopes>", `of ${SCOPES.join(", ")}`, parseScopes, ["enqueue", "read"] as const)
    .option("--rate <n>", "HTTP requests a second", parseRate, 100)
    .option("--webhook <url>", "where outcomes are told unless a request says otherwise")
    .option("--jwk <file>", "a public key as a JWK: only its holder reads the outcomes")
    .addHelpText("after", examples("keys api add --name crm --webhook https://crm.example/cardbatch"))
    .action((options: AddOptions) => withKeys(options, context, (parts) => add(options, parts, context)));
  command("list", "a JSON line for each API key").action((options: { config?: string }) =>
    withKeys(options, context, (parts) => list(parts, context)),
  );
  command("revoke", "refuse an API key from now on")
    .argument("<id>", "as `keys api list` shows it")
    .action((id: string, options: { config?: string }) =>
      withKeys(options, context, (parts) => revoke(id, parts, context)),
    );
  command("rotate-webhook-secret", "sign webhooks with a new secret, and a day long with the old one, too")
    .argument("<id>", "as `keys api list` shows it")
    .action((id: string, options: { config?: string }) =>
      withKeys(options, context, (parts) => rotate(id, parts, context)),
    );
}

interface Parts {
  readonly app: App;
  readonly apiKeys: ReturnType<typeof createApiKeys>;
}

async function withKeys(
  { config }: { readonly config?: string },
  { config: configOf, surroundings, stop }: Context,
  act: (parts: Parts) => Promise<void>,
): Promise<void> {
  const app = await openApp(configOf(config), surroundings, stop.soft);
  try {
    await act({ app, apiKeys: createApiKeys(app.redis, app.keys) });
  } finally {
    await app.close();
  }
}

async function add(options: AddOptions, { app, apiKeys }: Parts, { terminal }: Context): Promise<void> {
  const id = inLetters(randomBytes(4));
  const secret = randomBytes(32);
  const jwk = options.jwk === undefined ? null : readJwk(options.jwk);
  const destination = jwk === null ? API_DESTINATION : `${API_DESTINATION}-${id}`;
  const parsed = apiKeySchema.safeParse({
    id,
    name: options.name,
    digest: createHash("sha256").update(secret).digest("hex"),
    scopes: options.scopes,
    rate: options.rate,
    destination,
    createdAt: new Date().toISOString(),
    revokedAt: null,
  });
  if (!parsed.success) throw new UsageError(`--name: ${parsed.error.issues[0]?.message ?? "is refused"}`);
  const webhookSecret = newWebhookSecret();
  if (options.webhook !== undefined) await apiKeys.setWebhook(id, await sealWebhook(app, id, options.webhook));
  if (jwk !== null) await app.recipients.set(destination, app.vault.recordRecipient(destination, jwk));
  await apiKeys.setSecrets(id, [{ sealed: await sealSecret(app, id, webhookSecret), untilMs: null }]);
  await apiKeys.put(parsed.data);
  terminal.data(JSON.stringify({ id, key: formatApiKey(id, secret), webhookSecret }));
  terminal.message("keep both now: neither is shown again");
}

async function list({ apiKeys }: Parts, { terminal }: Context): Promise<void> {
  for (const { digest: _digest, ...key } of await apiKeys.list()) terminal.data(JSON.stringify(key));
}

async function revoke(id: string, { apiKeys }: Parts, { terminal }: Context): Promise<void> {
  const key = await keyOf(id, apiKeys);
  await apiKeys.put({ ...key, revokedAt: key.revokedAt ?? new Date().toISOString() });
  terminal.message(`API key ${id} (${key.name}) is refused within a second; its webhooks are not sent any more`);
}

async function rotate(id: string, { app, apiKeys }: Parts, { terminal }: Context): Promise<void> {
  await keyOf(id, apiKeys);
  const webhookSecret = newWebhookSecret();
  const untilMs = Date.now() + ROTATION_MS;
  const before = (await apiKeys.secrets(id)).filter((secret) => secret.untilMs === null || secret.untilMs > Date.now());
  const secrets: WebhookSecret[] = [
    { sealed: await sealSecret(app, id, webhookSecret), untilMs: null },
    ...before.map((secret) => ({ ...secret, untilMs: Math.min(secret.untilMs ?? untilMs, untilMs) })),
  ];
  await apiKeys.setSecrets(id, secrets);
  terminal.data(JSON.stringify({ id, webhookSecret }));
  terminal.message("webhooks carry a signature by this secret and, for 24 hours, one by the old one");
}

async function keyOf(id: string, apiKeys: Parts["apiKeys"]): Promise<ApiKey> {
  const key = await apiKeys.get(id);
  if (key === null) throw new UsageError(`there is no API key ${id}; see cardbatch keys api list`);
  return key;
}

async function sealWebhook(app: App, id: string, url: string): Promise<string> {
  const fault = findTargetFault(url, webhookPolicyOf(app.config.webhookAllow));
  if (fault !== null) throw new UsageError(`--webhook: the address ${fault}`);
  return app.vault.sealText(url, { request: id, field: WEBHOOK_FIELD });
}

function sealSecret({ vault }: App, id: string, secret: string): Promise<string> {
  return vault.sealText(secret, { request: id, field: WEBHOOK_SECRET_FIELD });
}

/** @throws UsageError without anything of the file, which may be a private key */
function readJwk(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`--jwk ${file}: ${error instanceof SyntaxError ? "not JSON" : "cannot be read"}`);
  }
}

function parseScopes(text: string): readonly Scope[] {
  return [...new Set(text.split(",").map((part) => part.trim()))].map((part) => {
    const scope = SCOPES.find((known) => known === part);
    if (scope === undefined) throw new InvalidArgumentError(`${part}: there are ${SCOPES.join(", ")}.`);
    return scope;
  });
}

function parseRate(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 100_000)) throw new InvalidArgumentError("takes requests a second.");
  return value;
}
