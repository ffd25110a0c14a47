import type { Command } from "commander";
import { keyringPathOf } from "../app.js";
import { createKeyring } from "../vault/keyring-file.js";
import type { Context } from "./context.js";

export function addKeys(program: Command, context: Context): void {
  program
    .command("keys")
    .description("the keyring that card numbers are encrypted with")
    .command("init")
    .description("make a keyring where there is none; never replaces one")
    .option("--config <file>", "settings as JSON")
    .action(async ({ config }: { config?: string }) => {
      const path = keyringPathOf(context.config(config), context.surroundings.env);
      const { keyring, created } = await createKeyring(path);
      context.terminal.message(
        created
          ? `made keyring ${keyring.id} at ${path}; back it up: without it no number can be read again`
          : `${path} is keyring ${keyring.id} already; nothing was changed`,
      );
    });
}
