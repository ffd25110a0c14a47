import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { buildProvider } from "../app/providers.js";
import { CardbatchError, UsageError } from "../domain/errors.js";
import type { PreparedImage } from "../domain/image.js";
import type { OcrProvider } from "../domain/provider.js";
import { createEnginePool } from "../engine/pool.js";
import { prepareImage } from "../image/prepare-image.js";
import { createHttpClient } from "../providers/http-client.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";
import { namedProviders } from "./run-terms.js";
import { createPaint } from "./terminal.js";

interface CheckOptions {
  readonly provider?: string;
  readonly config?: string;
  readonly json?: true;
}

export function addCheck(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("check")
    .argument("[image]", "one image to send, which may cost a call")
    .description("reach a provider for real, step by step, and say which setting to change")
    .option("--provider <names>", "huawei, shiliuai or local")
    .option("--config <file>", "settings as JSON")
    .option("--json", "one JSON line a step on stdout")
    .addHelpText("after", examples("check --provider huawei", "check card.jpg --provider huawei"))
    .action(async (image: string | undefined, options: CheckOptions) => exit(await check(image, options, context)));
}

async function check(image: string | undefined, options: CheckOptions, context: Context): Promise<number> {
  const { terminal, stop } = context;
  const config = context.config(options.config);
  const http = createHttpClient({ connections: 1, httpsProxy: config.httpsProxy, noProxy: config.noProxy });
  const engine = createEnginePool({ threads: 1 });
  const paint = createPaint(terminal.color);
  let allOk = true;
  try {
    for (const name of namedProviders(options.provider, config)) {
      const provider = buildProvider(name, config, { http, engine: () => engine });
      const prepared = image === undefined ? null : await prepare(image, provider, stop.soft);
      terminal.message(paint.bold(name));
      for await (const step of provider.check(prepared, stop.soft)) {
        allOk &&= step.ok;
        if (options.json === true) terminal.data(JSON.stringify({ provider: name, ...step }));
        else
          terminal.message(
            `  ${step.ok ? paint.green("ok  ") : paint.red("FAIL")}  ${step.name.padEnd(14)}  ${step.detail}`,
          );
      }
      await provider.close();
    }
  } finally {
    await http.close();
    await engine.close();
  }
  if (image === undefined && allOk) {
    const names = namedProviders(options.provider, config).join(",");
    terminal.message(`name an image to send one for real: cardbatch check card.jpg --provider ${names}`);
  }
  return allOk ? EXIT.ok : EXIT.providerUnavailable;
}

async function prepare(path: string, provider: OcrProvider, signal: AbortSignal): Promise<PreparedImage> {
  const bytes = await readFile(path).catch(() => {
    throw new UsageError(`${path}: cannot be read`);
  });
  try {
    return await prepareImage(bytes, 0, provider.bounds, signal);
  } catch (error) {
    if (error instanceof CardbatchError) throw new UsageError(`${path}: ${error.message}: ${error.hint}`);
    throw error;
  }
}
