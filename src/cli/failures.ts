import type { Command } from "commander";
import { type BatchFailures, countFailuresByCode, type FailuresOfCode } from "../app/failures.js";
import { openReader } from "../app/reading.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count, plural } from "./format.js";
import { createPaint, type Paint } from "./terminal.js";

interface FailuresOptions {
  readonly batch?: string;
  readonly json?: true;
  readonly config?: string;
}

export function addFailures(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("failures")
    .description("what has failed, by code: how many, an example, what to do")
    .option("--batch <name>", "only this batch; default: every batch that has failures")
    .option("--json", "as JSON on stdout")
    .option("--config <file>", "settings as JSON")
    .addHelpText("after", examples("failures", "failures --batch y2019 --json"))
    .action(async (options: FailuresOptions) => exit(await tellFailures(options, context)));
}

async function tellFailures(options: FailuresOptions, context: Context): Promise<number> {
  const { terminal, config, surroundings, stop } = context;
  const reader = await openReader(config(options.config), surroundings, stop.soft);
  try {
    const names =
      options.batch === undefined ? (await reader.redis.smembers(reader.keys.batches())).sort() : [options.batch];
    const all: BatchFailures[] = [];
    for (const name of names) {
      const failures = await countFailuresByCode(reader, name);
      if (options.batch !== undefined || failures.codes.length > 0 || failures.failed > 0) all.push(failures);
    }
    if (options.json === true) terminal.data(JSON.stringify({ schema: 1, batches: all }));
    else terminal.data(failuresText(all, createPaint(terminal.color)));
    return EXIT.ok;
  } finally {
    await reader.close();
  }
}

function failuresText(batches: readonly BatchFailures[], paint: Paint): string {
  if (batches.length === 0) return "nothing has failed";
  return batches.flatMap((batch) => batchLines(batch, paint)).join("\n");
}

function batchLines({ batch, failed, codes }: BatchFailures, paint: Paint): string[] {
  const known = codes.reduce((sum, its) => sum + its.count, 0);
  const lines = codes.flatMap((its) => [
    `  ${paint.red(`${count(its.count)} × ${its.code}`)}`,
    `    what to do: ${its.hint}`,
    `    such as ${its.example.source} (${its.example.request}): ${withoutHint(its)}`,
  ]);
  const rest = failed - known;
  return [
    `${paint.bold(batch)}  ${plural(failed, "page")} failed`,
    ...lines,
    ...(rest > 0 ? [`  ${count(rest)} of which only failures.ndjson tells: they are too long ago`] : []),
    ...(known > 0
      ? [`  try them again: cardbatch retry --batch ${batch} --code ${codes.map(({ code }) => code).join(",")}`]
      : []),
  ];
}

/** Messages end in what to do, which is said already. */
function withoutHint({ hint, example: { message } }: FailuresOfCode): string {
  return message.endsWith(`: ${hint}`) ? message.slice(0, -hint.length - 2) : message;
}
