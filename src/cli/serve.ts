import type { Command } from "commander";
import { createMetricsText } from "../app/metrics-text.js";
import { startScheduling } from "../app/scheduling.js";
import { startServing } from "../app/serving.js";
import { startWorking, type Working } from "../app/working.js";
import { openApp } from "../app.js";
import { assertAccounts } from "../config/vendor-auth.js";
import { startMetricsServer } from "../http/metrics-server.js";
import { aborted, type Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { leaveWithoutRedis } from "./leave-without-redis.js";
import { parsePort, parseWhole } from "./option-values.js";
import { createNightPage } from "./report/night-page.js";
import { namedProviders } from "./run-terms.js";

const MEBIBYTE = 1024 * 1024;

interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly provider?: string;
  readonly backlog: number;
  readonly maxImage: number;
  readonly work?: true;
  readonly concurrency?: number;
  readonly config?: string;
}

export function addServe(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("serve")
    .description("HTTP: take images from other services and tell them the outcomes; until SIGTERM")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--port <port>", "0: any free one", parsePort, 0)
    .option("--provider <names>", "asked where a request names none; of several the next is asked in doubt")
    .option("--backlog <n>", "most images that may wait", parseWhole, 1000)
    .option("--max-image <MiB>", "largest image taken", parseWhole, 32)
    .option("--work", "work on the images, too; without it start `cardbatch worker`")
    .option("--concurrency <n>", "with --work: images worked on at a time", parseWhole)
    .option("--config <file>", "settings as JSON")
    .addHelpText("after", examples("serve --port 8080 --provider local --work", "keys api add --name crm"))
    .action(async (options: ServeOptions) => exit(await serve(options, context)));
}

async function serve(options: ServeOptions, context: Context): Promise<number> {
  const { terminal, stop, surroundings } = context;
  const config = context.config(options.config);
  const isNamed = options.provider !== undefined || config.provider !== undefined;
  const providers = isNamed ? namedProviders(options.provider, config) : [];
  assertAccounts(providers, config);
  const app = await openApp(config, surroundings, stop.soft);
  leaveWithoutRedis(app, context);
  try {
    await startMetricsServer(config, createMetricsText(app), app.defer, terminal.message);
    const { host, port, backlog } = options;
    const serving = await startServing(app, {
      host,
      port,
      providers,
      backlog,
      maxImageBytes: options.maxImage * MEBIBYTE,
    });
    terminal.data(JSON.stringify({ listening: serving.url }));
    const concurrency = options.concurrency ?? null;
    const working: Working | null =
      options.work === true ? await startWorking(app, { providers, concurrency, stop }) : null;
    const who = working === null ? "workers elsewhere" : `${working.concurrency} images at a time`;
    terminal.message(`serving; read by ${who}; Redis: ${app.redisHow}`);
    const page = () => createNightPage(surroundings.version);
    const scheduling = await startScheduling(app, { working, page }, stop);
    await aborted(stop.soft);
    // What runs on schedule needs the worker until it has stopped.
    await Promise.all([serving.close(), scheduling.close().then(() => working?.close())]);
    terminal.message("stopped; what was under way is finished");
    return EXIT.ok;
  } finally {
    await app.close();
  }
}
