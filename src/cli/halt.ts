import type { Command } from "commander";
import { cancelBatch, type Halted, pauseBatch, resumeBatch } from "../app/operate.js";
import { openReader } from "../app/reading.js";
import { createImages } from "../queue/images.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count } from "./format.js";

interface HaltOptions {
  readonly batch: string;
  readonly json?: true;
  readonly config?: string;
}

type Act = (app: Parameters<typeof pauseBatch>[0], name: string, signal: AbortSignal) => Promise<Halted>;

export function addPause(program: Command, context: Context, exit: (code: number) => void): void {
  const command = program
    .command("pause")
    .description("let nothing new of a batch begin; calls under way are finished");
  addHalt(command, (app, name) => pauseBatch(app, name), context, exit);
}

export function addResume(program: Command, context: Context, exit: (code: number) => void): void {
  addHalt(program.command("resume").description("let a paused batch go on"), resumeBatch, context, exit);
}

export function addCancel(program: Command, context: Context, exit: (code: number) => void): void {
  const what = "end a batch early; what has no outcome stays pending until its sources are run again";
  addHalt(program.command("cancel").description(what), cancelBatch, context, exit);
}

function addHalt(command: Command, act: Act, context: Context, exit: (code: number) => void): void {
  command
    .requiredOption("--batch <name>", "the batch")
    .option("--json", "as JSON on stdout")
    .option("--config <file>", "settings as JSON")
    .addHelpText("after", examples(`${command.name()} --batch y2019`, `${command.name()} --batch y2019 --json`))
    .action(async (options: HaltOptions) => exit(await change(options, act, context)));
}

/** Whoever has to stop a batch may have no keyring. */
async function change(options: HaltOptions, act: Act, context: Context): Promise<number> {
  const { terminal, config, surroundings, stop } = context;
  const reader = await openReader(config(options.config), surroundings, stop.soft);
  const images = createImages(reader.redis, reader.keys);
  try {
    const halted = await act({ batches: reader.batches, images }, options.batch, stop.soft);
    const { batch, halt, counts } = halted;
    const { found, outcomes, pending } = counts;
    if (options.json === true) terminal.data(JSON.stringify({ schema: 1, batch, halt, found, ...outcomes, pending }));
    else terminal.message(describe(halted));
    return EXIT.ok;
  } finally {
    await images.close();
    await reader.close();
  }
}

function describe({ batch, before, halt, counts: { found, pending } }: Halted): string {
  const left = `${count(pending)} of ${count(found)} pages have no outcome yet`;
  if (before === halt) return `batch ${batch}: ${halt ?? "not paused"} as before; ${left}`;
  switch (halt) {
    case "paused":
      return `batch ${batch}: paused; ${left}. Go on: cardbatch resume --batch ${batch}`;
    case "cancelled":
      return `batch ${batch}: cancelled; ${left}, and stay pending. Run or enqueue its sources again to go on`;
    case null:
      return `batch ${batch}: goes on; ${left}`;
  }
}
