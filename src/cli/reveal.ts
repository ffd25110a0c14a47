import type { Command } from "commander";
import { keyringPathOf } from "../app.js";
import { loadKeyring } from "../vault/keyring-file.js";
import { reveal } from "../vault/reveal.js";
import { auditPath, osUser } from "../vault/reveal-audit.js";
import { createVault } from "../vault/vault.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count, plural } from "./format.js";

interface RevealOptions {
  readonly reason: string;
  readonly config?: string;
}

export function addReveal(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("reveal")
    .argument("<file>", "results.ndjson or failures.ndjson")
    .description("the same lines on stdout with whole card numbers; recorded beside the keyring")
    .requiredOption("--reason <text>", "why the numbers are wanted; goes to the audit file")
    .option("--config <file>", "settings as JSON")
    .addHelpText(
      "after",
      examples('reveal out/results.ndjson --reason "migration to the new ledger" > revealed.ndjson'),
    )
    .action(async (file: string, options: RevealOptions) => exit(await revealFile(file, options, context)));
}

async function revealFile(file: string, options: RevealOptions, context: Context): Promise<number> {
  const { terminal, stop, surroundings } = context;
  const keyringPath = keyringPathOf(context.config(options.config), surroundings.env);
  const vault = createVault(await loadKeyring(keyringPath));
  const audit = auditPath(keyringPath);
  const totals = await reveal(
    { file, reason: options.reason, auditFile: audit, user: osUser() },
    {
      vault,
      write: (line) => new Promise((resolve) => void process.stdout.write(line, () => resolve())),
      onProblem: ({ line, field, code }) => terminal.message(`line ${line}, ${field}: not opened (${code})`),
      now: () => new Date(),
    },
    stop.soft,
  );
  terminal.message(`${plural(totals.lines, "line")}, ${count(totals.opened)} opened; recorded in ${audit}`);
  return totals.problems > 0 ? EXIT.someFailed : EXIT.ok;
}
