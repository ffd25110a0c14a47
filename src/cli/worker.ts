import type { Command } from "commander";
import { createMetricsText } from "../app/metrics-text.js";
import { describeRate } from "../app/providers.js";
import { startScheduling } from "../app/scheduling.js";
import { startWorking } from "../app/working.js";
import { openApp } from "../app.js";
import { assertAccounts } from "../config/vendor-auth.js";
import { PROVIDER_NAMES } from "../domain/answer.js";
import { startMetricsServer } from "../http/metrics-server.js";
import { aborted, type Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { leaveWithoutRedis } from "./leave-without-redis.js";
import { createNightPage } from "./report/night-page.js";
import { addSomeRunOptions, type RunOptions } from "./run-options.js";
import { applyRunOptions, namedProviders } from "./run-terms.js";

export function addWorker(program: Command, context: Context, exit: (code: number) => void): void {
  const command = program.command("worker");
  addSomeRunOptions(command, ["provider", "rate", "concurrency", "config"], context.terminal.message)
    .description("work on what is enqueued, until SIGTERM; calls under way are finished then")
    .addHelpText("after", examples("worker --provider huawei --rate 20"))
    .action(async (options: RunOptions) => exit(await work(options, context)));
}

async function work(options: RunOptions, { terminal, config: configOf, surroundings, stop }: Context): Promise<number> {
  const asConfigured = configOf(options.config);
  const named = options.provider !== undefined || asConfigured.provider !== undefined;
  const providers = named ? namedProviders(options.provider, asConfigured) : [];
  assertAccounts(providers, asConfigured);
  const config = applyRunOptions(asConfigured, options, providers.length === 0 ? PROVIDER_NAMES : providers);
  const app = await openApp(config, surroundings, stop.soft);
  leaveWithoutRedis(app, { stop, terminal });
  try {
    await startMetricsServer(config, createMetricsText(app), app.defer, terminal.message);
    const working = await startWorking(app, { providers, concurrency: options.concurrency ?? null, stop });
    const usable = PROVIDER_NAMES.filter((name) => working.dispatcher(name) !== null);
    const paces = usable.map((name) => describeRate(name, config[name]));
    terminal.message(`working, ${working.concurrency} calls at a time: ${paces.join(", ")}; Redis: ${app.redisHow}`);
    const page = () => createNightPage(surroundings.version);
    const scheduling = await startScheduling(app, { working, page }, stop);
    await aborted(stop.soft);
    await scheduling.close();
    await working.close();
    terminal.message("stopped; what was under way is finished");
    return EXIT.ok;
  } finally {
    await app.close();
  }
}
