import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { feedBatch, noImage, openSources } from "../app/feeding.js";
import { foldersToKeep } from "../app/folder-names.js";
import { HEARD_MS } from "../app/limits.js";
import { thresholdsOf } from "../app/thresholds.js";
import { type App, openApp } from "../app.js";
import { UsageError } from "../domain/errors.js";
import type { Context } from "./context.js";
import { tellDryRun } from "./dry-run.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { count, plural } from "./format.js";
import { leaveWithoutRedis } from "./leave-without-redis.js";
import { addSomeRunOptions, type RunOptions } from "./run-options.js";
import { batchTerms, defaultBatchName, namedProviders } from "./run-terms.js";

/** Rates and the like are the workers', files the drain's. */
const MEANINGFUL = [
  ...(["provider", "batch", "limit", "backlog", "refresh", "maxCalls", "budget", "window", "tz", "dryRun"] as const),
  ...(["destination", "encoding", "config", "json"] as const),
];
/** How often somebody who waits for workers is told so. */
const TELL_EVERY_MS = 5000;

export function addEnqueue(program: Command, context: Context, exit: (code: number) => void): void {
  const command = program.command("enqueue").argument("<source...>", "as of run");
  addSomeRunOptions(command, MEANINGFUL, context.terminal.message)
    .description("put the images of the sources on the queue; workers and a drain elsewhere do the rest")
    .addHelpText("after", examples("enqueue /mnt/scans/2019 --provider huawei --batch y2019"))
    .action(async (sources: string[], options: RunOptions) => {
      const act = options.dryRun === true ? tellDryRun : enqueue;
      exit(await act(sources, options, context));
    });
}

async function enqueue(names: readonly string[], options: RunOptions, context: Context): Promise<number> {
  const { terminal, stop, surroundings } = context;
  const config = context.config(options.config);
  const providers = namedProviders(options.provider, config);
  const opened = await openSources(config, names, options.encoding);
  const name = options.batch ?? defaultBatchName(opened.sources, providers);
  const terms = batchTerms(options, config, providers);
  const app = await openApp(config, surroundings, stop.soft);
  leaveWithoutRedis(app, { stop, terminal });
  try {
    if (!(await app.presence.acquire(`batch:${name}`))) {
      throw new UsageError(`batch ${name}: another run of it is live; wait for it, or name another --batch`);
    }
    const batch = await app.batches.open({
      name,
      providers,
      destination: options.destination ?? name,
      sources: await foldersToKeep(opened.sources, opened.roots, app.vault),
      thresholds: thresholdsOf(config),
      refresh: options.refresh === true,
      terms,
    });
    await app.images.wake(name);
    terminal.message(`batch ${name}; its outcomes: cardbatch drain --batch ${name} --out <folder>`);
    const onProgress = tellOfWaiting(app, terminal.message);
    const { backlog, limit = null } = options;
    const fed = await feedBatch(app, batch, opened, { backlog, limit, priority: "batch", onProgress }, stop.soft);
    await app.batches.setFed(name, true);
    if (terms.window !== undefined) {
      // Workers hear of another window within a second; until then they put jobs back by the old one.
      await sleep(HEARD_MS, undefined, { signal: stop.soft });
      await app.images.wake(name);
    }
    if (fed.listed === 0) throw noImage(fed.ignored);
    const done = fed.listed - fed.enqueued;
    const text = `${plural(fed.listed, "page")}: ${count(fed.enqueued)} enqueued, ${count(done)} had their outcome already`;
    if (options.json === true) terminal.data(JSON.stringify({ batch: name, ...fed }));
    else terminal.message(text);
    return EXIT.ok;
  } finally {
    await app.close();
  }
}

/** Says that enough jobs wait, and when nobody is there to work on them. */
function tellOfWaiting(
  app: App,
  tell: (text: string) => void,
): (progress: { waiting: boolean; listed: number }) => void {
  let toldAtMs = 0;
  return ({ waiting, listed }) => {
    if (!waiting || performance.now() - toldAtMs < TELL_EVERY_MS) return;
    toldAtMs = performance.now();
    void app.images.workers().then((workers) => {
      const who = workers === 0 ? "nobody works: start `cardbatch worker`" : `${plural(workers, "worker")} busy`;
      tell(`${count(listed)} listed; waiting for room on the queue (${who})`);
    });
  };
}
