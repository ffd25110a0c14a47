import { type Command, InvalidArgumentError } from "commander";
import { type Retried, retryFailures } from "../app/failures.js";
import { openApp } from "../app.js";
import { type ErrorCode, isErrorCode } from "../domain/errors.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count, plural } from "./format.js";

interface RetryOptions {
  readonly batch: string;
  readonly code?: readonly ErrorCode[];
  readonly json?: true;
  readonly config?: string;
}

export function addRetry(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("retry")
    .description("enqueue failed pages of a batch again, with the files as they are now")
    .requiredOption("--batch <name>", "the batch")
    .option("--code <codes>", "only failures of these codes, separated by commas; default: all", parseCodes)
    .option("--json", "as JSON on stdout")
    .option("--config <file>", "settings as JSON")
    .addHelpText(
      "after",
      examples("retry --batch y2019 --code image-not-found,image-unreadable", "retry --batch y2019 --json"),
    )
    .action(async (options: RetryOptions) => exit(await retry(options, context)));
}

function parseCodes(text: string): readonly ErrorCode[] {
  return text.split(",").map((part) => {
    const code = part.trim();
    if (!isErrorCode(code)) throw new InvalidArgumentError(`${code} is no code; \`cardbatch failures\` lists them.`);
    return code;
  });
}

async function retry(options: RetryOptions, { terminal, config, surroundings, stop }: Context): Promise<number> {
  const app = await openApp(config(options.config), surroundings, stop.soft);
  try {
    const retried = await retryFailures(app, options.batch, options.code ?? null);
    const workers = await app.images.workers();
    if (options.json === true) terminal.data(JSON.stringify({ schema: 1, ...retried, workers }));
    else terminal.message(describe(retried, workers));
    return EXIT.ok;
  } finally {
    await app.close();
  }
}

function describe({ batch, retried, underWay, unlisted }: Retried, workers: number): string {
  const lines = [`batch ${batch}: ${plural(retried, "page")} enqueued again`];
  if (underWay > 0) lines.push(`  ${count(underWay)} are under way, or their failure is not written down yet`);
  if (unlisted > 0)
    lines.push(`  ${count(unlisted)} cannot be opened as their source lists them: mend it, and run it again`);
  if (retried > 0 && workers === 0)
    lines.push("  nobody works: run the batch's sources again, or start a worker and a drain");
  return lines.join("\n");
}
