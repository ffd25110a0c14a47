import { join } from "node:path";
import type { Command } from "commander";
import type { Context } from "./context.js";
import { run } from "./run.js";

/** What `npm start` alone does: the samples, read by the embedded engine, held against their labels. */
export function addDemo(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("demo", { hidden: true })
    .description("read samples/ with the embedded engine")
    .action(async () => {
      const samples = join(context.surroundings.packageRoot, "samples");
      const options = { provider: "local", out: "out", backlog: 1000, patience: 60_000, encoding: "utf-8" };
      const truth = join(samples, "truth.csv");
      exit(await run([samples], { ...options, truth, onlyLabelled: true }, context));
    });
}
