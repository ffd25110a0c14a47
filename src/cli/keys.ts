import type { Command } from "commander";
import { type App, keyringPathOf, openApp } from "../app.js";
import { UsageError } from "../domain/errors.js";
import { nameSchema } from "../domain/payload.js";
import { createKeyring } from "../vault/keyring-file.js";
import { addApiKeys } from "./api-keys.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { readJwk } from "./read-jwk.js";

interface ConfigOption {
  readonly config?: string;
}

export function addKeys(program: Command, context: Context): void {
  const keys = program.command("keys").description("the keys that card numbers are encrypted with");
  keys
    .command("init")
    .description("make a keyring where there is none; never replaces one")
    .option("--config <file>", "settings as JSON")
    .addHelpText("after", examples("keys init"))
    .action((options: ConfigOption) => init(options, context));

  addApiKeys(keys, context);
  const destination = keys
    .command("destination")
    .description("public keys: what goes to such a destination only its asker can read");
  destination
    .command("add")
    .argument("<name>", "the destination", parseName)
    .description("encrypt its outcomes to a public key; replaces the one before")
    .requiredOption("--jwk <file>", "the public key as a JWK: EC on P-256, P-384 or P-521, or X25519")
    .addHelpText("after", examples("keys destination add crm --jwk crm-public.jwk"))
    .option("--config <file>", "settings as JSON")
    .action((name: string, options: ConfigOption & { readonly jwk: string }) => add(name, options, context));
  destination
    .command("remove")
    .argument("<name>", "the destination", parseName)
    .description("encrypt its outcomes with the keyring again")
    .option("--config <file>", "settings as JSON")
    .action((name: string, options: ConfigOption) => remove(name, options, context));
  destination
    .command("list")
    .description("a JSON line for each: the destination and its public key")
    .option("--config <file>", "settings as JSON")
    .action((options: ConfigOption) => list(options, context));
}

async function init({ config }: ConfigOption, { terminal, surroundings, config: configOf }: Context): Promise<void> {
  const path = keyringPathOf(configOf(config), surroundings.env);
  const { keyring, created } = await createKeyring(path);
  terminal.message(
    created
      ? `made keyring ${keyring.id} at ${path}; back it up: without it no number can be read again`
      : `${path} is keyring ${keyring.id} already; nothing was changed`,
  );
}

async function add(name: string, options: ConfigOption & { readonly jwk: string }, context: Context): Promise<void> {
  const jwk = readJwk(options.jwk);
  await withApp(options, context, async ({ vault, recipients }) => {
    const record = vault.recordRecipient(name, jwk);
    const before = await recipients.set(name, record);
    const others = before === null ? "" : `; what was encrypted to ${keyOf(before).kid} stays so`;
    context.terminal.message(`from now on only ${keyOf(record).kid} opens the outcomes of ${name}${others}`);
  });
}

async function remove(name: string, options: ConfigOption, context: Context): Promise<void> {
  await withApp(options, context, async ({ recipients }) => {
    if (!(await recipients.remove(name))) throw new UsageError(`the destination ${name} has no public key`);
    context.terminal.message(`the outcomes of ${name} are encrypted with the keyring from now on`);
  });
}

async function list(options: ConfigOption, context: Context): Promise<void> {
  await withApp(options, context, async ({ recipients }) => {
    const all = Object.entries(await recipients.list());
    for (const [destination, record] of all.sort()) {
      context.terminal.data(JSON.stringify({ destination, jwk: keyOf(record) }));
    }
  });
}

async function withApp(
  { config }: ConfigOption,
  { config: configOf, surroundings, stop }: Context,
  act: (app: App) => Promise<void>,
): Promise<void> {
  const app = await openApp(configOf(config), surroundings, stop.soft);
  try {
    await act(app);
  } finally {
    await app.close();
  }
}

function keyOf(record: string): { readonly kid: string } {
  return (JSON.parse(record) as { jwk: { kid: string } }).jwk;
}

function parseName(text: string): string {
  const { success, error } = nameSchema.safeParse(text);
  if (success) return text;
  throw new UsageError(`the destination's name: ${error.issues[0]?.message ?? "is refused"}`);
}
