import { resolve } from "node:path";
import type { Command } from "commander";
import { openReader } from "../app/reading.js";
import { exportReview, type ImportedReview, importReview } from "../app/review/review.js";
import { keyringPathOf, openApp } from "../app.js";
import { ConfigError, UsageError } from "../domain/errors.js";
import { hasPan } from "../domain/find-pans.js";
import { openForReview } from "../vault/reveal.js";
import { auditPath, osUser } from "../vault/reveal-audit.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count, plural } from "./format.js";
import { collect, parseEncoding } from "./option-values.js";
import { tellBehind } from "./run.js";

const MOST_BY = 128;

interface ExportOptions {
  readonly batch: string;
  readonly out: string;
  readonly reveal?: true;
  readonly reason?: string;
  readonly config?: string;
}

interface ImportOptions {
  readonly batch: string;
  readonly out: string;
  readonly by?: string;
  readonly encoding: string;
  readonly sink?: readonly string[];
  readonly json?: true;
  readonly config?: string;
}

export function addReview(program: Command, context: Context, exit: (code: number) => void): void {
  const review = program.command("review").description("pages in review, out to a spreadsheet and back");
  review
    .command("export")
    .description("what is in review as CSV on stdout, a row a card, with a column for the decision")
    .requiredOption("--batch <name>", "the batch")
    .option("--out <folder>", "where its results are written", "out")
    .option("--reveal", "whole numbers instead of masked ones; recorded beside the keyring")
    .option("--reason <text>", "why the numbers are wanted; goes to the audit file")
    .option("--config <file>", "settings as JSON")
    .addHelpText(
      "after",
      examples(
        "review export --batch y2019 --out out > review.csv",
        'review export --batch y2019 --reveal --reason "manual review, ticket 4711" > review.csv',
      ),
    )
    .action(async (options: ExportOptions) => exit(await exportRows(options, context)));
  review
    .command("import")
    .argument("<file>", "the CSV, with confirm, correct or reject as the decision")
    .description(
      "take decisions back: they become the outcomes, in the files and every sink; also while the batch runs",
    )
    .requiredOption("--batch <name>", "the batch")
    .option("--out <folder>", "where its results are written", "out")
    .option("--by <name>", "who decided; default: the system's user")
    .option("--encoding <label>", "of the file, such as gb18030", parseEncoding, "utf-8")
    .option("--sink <url>", "also write outcomes there; may be given several times", collect)
    .option("--json", "as JSON on stdout")
    .option("--config <file>", "settings as JSON")
    .addHelpText("after", examples("review import review.csv --batch y2019 --out out --by li.na"))
    .action(async (file: string, options: ImportOptions) => exit(await importRows(file, options, context)));
}

async function exportRows(options: ExportOptions, context: Context): Promise<number> {
  const { terminal, surroundings, stop } = context;
  const config = context.config(options.config);
  const reader = await openReader(config, surroundings, stop.soft);
  try {
    const { vault } = reader;
    if (options.reveal === true && vault === null) throw new ConfigError("there is no keyring here to reveal with");
    const inReview = (await reader.batches.counts(options.batch)).outcomes.review;
    const audit = auditPath(keyringPathOf(config, surroundings.env));
    const asked = { file: resolve(options.out), reason: options.reason ?? "", auditFile: audit, user: osUser() };
    const reveal = options.reveal === true && vault !== null ? await openForReview(asked, inReview, vault) : null;
    const write = (text: string) => new Promise<void>((done) => void process.stdout.write(text, () => done()));
    const pages = await exportReview(reader, { batch: options.batch, out: options.out, reveal, write });
    terminal.message(
      `${plural(pages, "page")} in review${reveal === null ? "" : `, numbers revealed; recorded in ${audit}`}`,
    );
    return EXIT.ok;
  } finally {
    await reader.close();
  }
}

async function importRows(file: string, options: ImportOptions, context: Context): Promise<number> {
  const { terminal, surroundings, stop } = context;
  const by = options.by ?? osUser();
  if (by.length > MOST_BY || hasPan(by, "name")) throw new UsageError("--by: takes a name of at most 128 characters");
  const config = context.config(options.config);
  const sinks = options.sink === undefined ? config.sinks : [...options.sink];
  const app = await openApp({ ...config, sinks }, surroundings, stop.soft);
  try {
    const { batch, out, encoding } = options;
    const imported = await importReview(app, { batch, out, file, encoding, by }, stop.soft);
    if (options.json === true) terminal.data(JSON.stringify({ schema: 1, batch, ...imported }));
    else terminal.message(describe(imported));
    for (const { line, message } of imported.problems) terminal.message(`line ${line}: not taken: ${message}`);
    const isBehind = tellBehind(imported.behind, context);
    return isBehind || imported.problems.length > 0 ? EXIT.someFailed : EXIT.ok;
  } finally {
    await app.close();
  }
}

function describe({ confirmed, corrected, rejected, unchanged, writtenElsewhere }: ImportedReview): string {
  const parts = [`${count(confirmed)} confirmed`, `${count(corrected)} corrected`, `${count(rejected)} rejected`];
  if (unchanged > 0) parts.push(`${count(unchanged)} decided so before`);
  return parts.join(", ") + (writtenElsewhere ? "; written by the live process that writes the batch" : "");
}
