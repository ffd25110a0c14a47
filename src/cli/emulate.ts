import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { vendorAccounts } from "../app/vendor-accounts.js";
import type { Config } from "../config/settings.js";
import type { CardEngine } from "../domain/card-engine.js";
import { UsageError } from "../domain/errors.js";
import { createEnginePool } from "../engine/pool.js";
import { chooseAnswers } from "../http/emulate/choose-answers.js";
import { createEmulator } from "../http/emulate/emulator.js";
import type { EmulatorOptions } from "../http/emulate/options.js";
import { inspectPicture, readByEngine } from "../http/vendor/read-by-engine.js";
import { aborted, type Context } from "./context.js";
import { examples } from "./examples.js";
import { parsePort, parseWhole, timeOption } from "./option-values.js";

interface EmulateOptions {
  readonly host: string;
  readonly port: number;
  readonly answer: string;
  readonly limit?: number;
  readonly retryAfter?: true;
  readonly latency: number;
  readonly jitter: number;
  readonly faults?: string;
  readonly tokenLifetime: number;
  readonly config?: string;
}

export function addEmulate(program: Command, context: Context): void {
  program
    .command("emulate")
    .description("both vendors' APIs on one address, with their checks, quotas and faults on demand; stops on SIGTERM")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--port <port>", "0: any free one", parsePort, 0)
    .option("--answer <how>", "engine, truth:<csv> or fixed", "engine")
    .option("--limit <n>", "calls admitted in any second", parseWhole)
    .option("--retry-after", "tell a call over the limit to come back in a second")
    .option("--latency <ms>", "before every answer", parseMs, 0)
    .option("--jitter <ms>", "as much as this on top, drawn evenly", parseMs, 0)
    .option("--faults <file>", "faults as JSON; POST /__faults does the same")
    .addOption(timeOption("--token-lifetime <time>", "of IAM tokens", "24h"))
    .option("--config <file>", "settings as JSON")
    .addHelpText(
      "after",
      examples("emulate --port 7000 --limit 22 --latency 150", "emulate --answer truth:samples/truth.csv"),
    )
    .action((options: EmulateOptions) => emulate(options, context));
}

async function emulate(options: EmulateOptions, { terminal, config, stop }: Context): Promise<void> {
  const accounts = accountsOf(config(options.config), options.tokenLifetime, terminal.message);
  let engine: CardEngine | null = null;
  const read = await chooseAnswers(options.answer, (picture) => {
    engine ??= createEnginePool();
    return readByEngine(engine, picture.bytes, stop.hard);
  });
  const { host, port, limit, latency, jitter, retryAfter } = options;
  const emulator = await createEmulator(
    {
      host,
      port,
      ...accounts,
      limit: limit ?? null,
      retryAfter: retryAfter === true,
      latencyMs: latency,
      jitterMs: jitter,
      ...(options.faults === undefined ? {} : { faults: readJson(options.faults) }),
    },
    { clock: { now: () => Date.now() }, read, inspect: inspectPicture },
  );
  terminal.data(JSON.stringify({ listening: emulator.url }));
  terminal.message(`CARDBATCH_HUAWEI_ENDPOINT=${emulator.url} CARDBATCH_SHILIUAI_ENDPOINT=${emulator.url} come here`);
  await aborted(stop.soft);
  await emulator.close();
  await (engine as CardEngine | null)?.close();
}

/** Credentials of the settings; where there are none, made-up ones that are told. */
function accountsOf(
  config: Config,
  tokenLifetimeMs: number,
  tell: (line: string) => void,
): Pick<EmulatorOptions, "huawei" | "shiliuai"> {
  const { huawei, shiliuai } = vendorAccounts(config);
  if (huawei === null)
    tell(`huawei takes CARDBATCH_HUAWEI_PROJECT_ID=${DEMO_PROJECT} CARDBATCH_HUAWEI_TOKEN=${DEMO_SECRET}`);
  if (shiliuai === null) tell(`shiliuai takes CARDBATCH_SHILIUAI_APP_CODE=${DEMO_SECRET}`);
  const projectId = config.huawei.projectId ?? DEMO_PROJECT;
  return {
    huawei:
      huawei === null
        ? { projectId, token: DEMO_SECRET, keys: null, iam: null }
        : { ...huawei, iam: huawei.iam === null ? null : { ...huawei.iam, tokenLifetimeMs } },
    shiliuai: shiliuai ?? { appCode: DEMO_SECRET, keys: null },
  };
}

const DEMO_PROJECT = "demo-project";
const DEMO_SECRET = "demo-secret";

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`--faults ${file}: ${error instanceof SyntaxError ? "not JSON" : "cannot be read"}`);
  }
}

function parseMs(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError("takes milliseconds.");
  return value;
}
