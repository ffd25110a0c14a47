#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";
import { Command, CommanderError } from "commander";
import { CancelledError, CardbatchError, ConfigError, UsageError } from "../domain/errors.js";
import { maskPansIn } from "../domain/find-pans.js";
import { addBench } from "./bench.js";
import { addCheck } from "./check.js";
import { type Context, createContext } from "./context.js";
import { addDemo } from "./demo.js";
import { addDrain } from "./drain.js";
import { addEmulate } from "./emulate.js";
import { addEnqueue } from "./enqueue.js";
import { addEvaluate } from "./evaluate.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { addFailures } from "./failures.js";
import { addCancel, addPause, addResume } from "./halt.js";
import { addKeys } from "./keys.js";
import { addPanScan } from "./pan-scan.js";
import { addRate } from "./rate.js";
import { addRecognize } from "./recognize.js";
import { addReconcile } from "./reconcile.js";
import { addRetry } from "./retry.js";
import { addReveal } from "./reveal.js";
import { addReview } from "./review.js";
import { addRun } from "./run.js";
import { addSchedule } from "./schedule.js";
import { addServe } from "./serve.js";
import { addStatus } from "./status.js";
import { addWorker } from "./worker.js";

/** In the order that help lists them. */
const COMMANDS = [
  addRun,
  addEnqueue,
  addWorker,
  addDrain,
  addCheck,
  addStatus,
  addFailures,
  addRetry,
  addPause,
  addResume,
  addCancel,
  addRate,
  addReconcile,
  addRecognize,
  addEvaluate,
  addServe,
  addSchedule,
  addEmulate,
  addReveal,
  addReview,
  addKeys,
  addPanScan,
  addBench,
  addDemo,
];

// V8 lets its heap grow to four times what is alive before it looks for garbage. With every image leaving some, a process that
// runs all night gets there so slowly that it looks like a leak; and at less than this the looking takes a tenth of all its time.
setFlagsFromString("--heap-growing-percent=150");

// Who reads the data may leave, as `head` does: nothing is torn by ending there. Messages that nobody reads hold nothing up.
process.stdout.on("error", () => process.exit(EXIT.interrupted));
process.stderr.on("error", () => {});

const AFTER_HELP = [
  examples(
    "run samples --provider local           the embedded engine: no account, no cost",
    "check --provider huawei                are the credentials right?",
    "run /mnt/scans --provider huawei --dry-run",
  ),
  "",
  "Exit codes: 0 nothing failed, 1 some failed, 2 usage, 3 configuration, 4 budget spent,",
  "5 a provider refused or was away for too long, 130 stopped; run it again to go on.",
].join("\n");

const context = createContext();
process.exitCode = await main(process.argv, context);

/** @returns the exit code */
async function main(argv: readonly string[], { terminal, surroundings, stoppedBy }: Context): Promise<number> {
  let code: number = EXIT.ok;
  const exit = (its: number) => {
    code = its;
  };
  const program = new Command("cardbatch")
    .description("Reads bank cards out of scanned archives in bulk, at a vendor's full quota and never over it.")
    .version(surroundings.version)
    .addHelpText("after", AFTER_HELP)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeErr: (text) => terminal.raw(maskPansIn(text, "name")) });
  for (const add of COMMANDS) add(program, context, exit);
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    return failed(error, context, stoppedBy() !== null);
  }
}

function failed(error: unknown, { terminal }: Context, isStopped: boolean): number {
  // Messages quote what was typed.
  const tell = (text: string) => terminal.message(`cardbatch: ${maskPansIn(text, "name")}`);
  // Commander has told what is wrong; help and version are no errors.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError || error instanceof ConfigError) {
    tell(error.message);
    return error instanceof UsageError ? EXIT.usage : EXIT.configuration;
  }
  if (isStopped) return EXIT.interrupted;
  if (error instanceof CancelledError) {
    tell(`${error.message}; run it again to go on`);
    return EXIT.interrupted;
  }
  if (error instanceof CardbatchError) {
    tell(`${error.message}: ${error.hint}`);
    return EXIT.someFailed;
  }
  tell(`unexpected fault\n${error instanceof Error ? error.stack : String(error)}`);
  return EXIT.someFailed;
}
