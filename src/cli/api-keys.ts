import { type Command, InvalidArgumentError } from "commander";
import { makeApiKey, revokeApiKey, rotateWebhookSecret } from "../app/api-keys.js";
import { type App, openApp } from "../app.js";
import { SCOPES, type Scope } from "../domain/api-key.js";
import { type ApiKeys, createApiKeys } from "../queue/api-keys.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { readJwk } from "./read-jwk.js";

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
  readonly apiKeys: ApiKeys;
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
  const { name, scopes, rate, webhook = null } = options;
  const jwk = options.jwk === undefined ? null : readJwk(options.jwk);
  terminal.data(JSON.stringify(await makeApiKey(app, apiKeys, { name, scopes, rate, webhook, jwk })));
  terminal.message("keep both secrets now: neither is shown again");
}

async function list({ apiKeys }: Parts, { terminal }: Context): Promise<void> {
  for (const { digest: _digest, ...key } of await apiKeys.list()) terminal.data(JSON.stringify(key));
}

async function revoke(id: string, { apiKeys }: Parts, { terminal }: Context): Promise<void> {
  const { name } = await revokeApiKey(apiKeys, id);
  terminal.message(`API key ${id} (${name}) is refused within a second; its webhooks are not sent any more`);
}

async function rotate(id: string, { app, apiKeys }: Parts, { terminal }: Context): Promise<void> {
  const webhookSecret = await rotateWebhookSecret(app, apiKeys, id);
  terminal.data(JSON.stringify({ id, webhookSecret }));
  terminal.message("webhooks carry a signature by this secret and, for 24 hours, one by the old one");
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
