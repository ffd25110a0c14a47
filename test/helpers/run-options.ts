import { Command } from "commander";
import { addRunOptions, type RunOptions } from "../../src/cli/run-options.js";

/** Run's options as the command line gives them. */
export function parseRunOptions(...args: string[]): RunOptions {
  const command = addRunOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
  return command.parse(args, { from: "user" }).opts<RunOptions>();
}
