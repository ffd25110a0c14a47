import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Command } from "commander";
import { redisFolders } from "../app.js";
import { ensureRedis, stopPrivateRedis } from "../bootstrap/private-redis.js";
import { UsageError } from "../domain/errors.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";

interface BenchOptions {
  readonly quick?: true;
  readonly long?: true;
  readonly json?: true;
}

/** What `bench/main.mjs` exports: scripts beside the sources, since they measure the compiled command from outside. */
interface BenchModule {
  readonly ROW_NAMES: readonly string[];
  bench(options: { rows: readonly string[]; scale: "quick" | "full" | "long" }, world: object): Promise<unknown>;
  renderReport(measured: unknown): string;
}

const STOP_MS = 20_000;

export function addBench(program: Command, context: Context): void {
  program
    .command("bench")
    .argument("[row...]", "names of rows, such as pace or cpu; none: all")
    .description("measure this machine against the figures that cardbatch is built to, with a Redis of its own")
    .option("--quick", "a tenth of the time")
    .option("--long", "up to a million images")
    .option("--json", "everything that was measured, as JSON on stdout")
    .addHelpText("after", examples("bench --quick", "bench pace cpu"))
    .action((rows: string[], options: BenchOptions) => bench(rows, options, context));
}

async function bench(
  rows: readonly string[],
  options: BenchOptions,
  { surroundings, terminal, stop }: Context,
): Promise<void> {
  const scripts = pathToFileURL(join(surroundings.packageRoot, "bench/main.mjs")).href;
  const module = (await import(scripts)) as BenchModule;
  const unknown = rows.find((row) => !module.ROW_NAMES.includes(row));
  if (unknown !== undefined) throw new UsageError(`bench ${unknown}: there are ${module.ROW_NAMES.join(", ")}`);
  const dataFolder = await mkdtemp(join(tmpdir(), "cardbatch-bench-redis-"));
  const { cacheFolder } = redisFolders(surroundings);
  const { env, report } = surroundings;
  const redis = await ensureRedis({ redisUrl: null, env, cacheFolder, dataFolder, report }, stop.soft);
  try {
    const scale = options.long === true ? "long" : options.quick === true ? "quick" : "full";
    const entry = fileURLToPath(new URL("main.js", import.meta.url));
    const world = { entry, redisUrl: redis.url, path: env.PATH ?? "", report, signal: stop.soft };
    const measured = await module.bench({ rows, scale }, world);
    terminal.data(options.json === true ? JSON.stringify(measured) : module.renderReport(measured));
  } finally {
    await redis.close();
    await stopPrivateRedis(dataFolder, AbortSignal.timeout(STOP_MS));
    await rm(dataFolder, { recursive: true });
  }
}
