import type { Command } from "commander";
import { startServing } from "../app/serving.js";
import { openApp } from "../app.js";
import type { Context } from "./context.js";
import { EXIT } from "./exit-codes.js";
import { leaveWithoutRedis } from "./leave-without-redis.js";
import { parsePort } from "./run-options.js";

interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly config?: string;
}

export function addServe(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("serve")
    .description("HTTP: take images from other services and tell them the outcomes; until SIGTERM")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--port <port>", "0: any free one", parsePort, 0)
    .option("--config <file>", "settings as JSON")
    .action(async (options: ServeOptions) => exit(await serve(options, context)));
}

async function serve(options: ServeOptions, context: Context): Promise<number> {
  const { terminal, stop, surroundings } = context;
  const app = await openApp(context.config(options.config), surroundings, stop.soft);
  leaveWithoutRedis(app, context);
  try {
    const serving = await startServing(app, { host: options.host, port: options.port });
    terminal.data(JSON.stringify({ listening: serving.url }));
    if (!stop.soft.aborted)
      await new Promise((resolve) => stop.soft.addEventListener("abort", resolve, { once: true }));
    await serving.close();
    terminal.message("stopped; requests under way were answered");
    return EXIT.ok;
  } finally {
    await app.close();
  }
}
