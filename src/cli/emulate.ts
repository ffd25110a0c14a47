import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import type { Config } from "../config/settings.js";
import { huaweiWays, shiliuaiWays } from "../config/vendor-auth.js";
import type { CardEngine, EngineCard, EngineText } from "../domain/card-engine.js";
import { UsageError } from "../domain/errors.js";
import { findIssuer } from "../domain/iin.js";
import { createEnginePool } from "../engine/pool.js";
import type { SentPicture } from "../http/emulate/answers.js";
import { chooseAnswers } from "../http/emulate/choose-answers.js";
import { createEmulator } from "../http/emulate/emulator.js";
import type { EmulatorOptions } from "../http/emulate/options.js";
import { inspectPage } from "../image/inspect-page.js";
import { prepareImage } from "../image/prepare-image.js";
import { scaleQuad } from "../providers/answer-fields.js";
import { LOCAL_BOUNDS } from "../providers/local/local-provider.js";
import type { WireCard, WireField } from "../providers/vendor-server.js";
import type { Context } from "./context.js";
import { parsePort, parseTime, parseWhole } from "./run-options.js";

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
    .option("--token-lifetime <time>", "of IAM tokens", parseTime, 24 * 3600_000)
    .option("--config <file>", "settings as JSON")
    .action((options: EmulateOptions) => emulate(options, context));
}

async function emulate(options: EmulateOptions, { terminal, config, stop }: Context): Promise<void> {
  const accounts = accountsOf(config(options.config), options.tokenLifetime, terminal.message);
  let engine: CardEngine | null = null;
  const read = await chooseAnswers(options.answer, (picture) => {
    engine ??= createEnginePool();
    return readByEngine(engine, picture, stop.hard);
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
    { clock: { now: () => Date.now() }, read, inspect },
  );
  terminal.data(JSON.stringify({ listening: emulator.url }));
  if (!stop.soft.aborted) await new Promise((resolve) => stop.soft.addEventListener("abort", resolve, { once: true }));
  await emulator.close();
  await (engine as CardEngine | null)?.close();
}

/** Credentials of the settings; where there are none, made-up ones that are told. */
function accountsOf(
  config: Config,
  tokenLifetimeMs: number,
  tell: (line: string) => void,
): Pick<EmulatorOptions, "huawei" | "shiliuai"> {
  const [token, aksk, iam] = (["token", "aksk", "iam"] as const).map((kind) =>
    huaweiWays(config).find((way) => way.kind === kind),
  );
  const [appcode, signature] = (["appcode", "signature"] as const).map((kind) =>
    shiliuaiWays(config).find((way) => way.kind === kind),
  );
  const anyHuawei = token ?? aksk ?? iam;
  const anyShiliuai = appcode ?? signature;
  if (anyHuawei === undefined)
    tell(`huawei takes CARDBATCH_HUAWEI_PROJECT_ID=${DEMO_PROJECT} CARDBATCH_HUAWEI_TOKEN=${DEMO_SECRET}`);
  if (anyShiliuai === undefined) tell(`shiliuai takes CARDBATCH_SHILIUAI_APP_CODE=${DEMO_SECRET}`);
  return {
    huawei: {
      projectId: config.huawei.projectId ?? (anyHuawei === undefined ? DEMO_PROJECT : null),
      token: token?.kind === "token" ? token.token : anyHuawei === undefined ? DEMO_SECRET : null,
      keys: aksk?.kind === "aksk" ? { ...aksk, securityToken: aksk.securityToken ?? null } : null,
      iam: iam?.kind === "iam" ? { domain: iam.domain, user: iam.user, password: iam.password, tokenLifetimeMs } : null,
    },
    shiliuai: {
      appCode: appcode?.kind === "appcode" ? appcode.appCode : anyShiliuai === undefined ? DEMO_SECRET : null,
      keys: signature?.kind === "signature" ? signature : null,
    },
  };
}

const DEMO_PROJECT = "demo-project";
const DEMO_SECRET = "demo-secret";

/** The embedded engine in the vendor's place. */
async function readByEngine(
  engine: CardEngine,
  { bytes }: SentPicture,
  signal: AbortSignal,
): Promise<readonly WireCard[]> {
  const image = await prepareImage(bytes, 0, LOCAL_BOUNDS, signal);
  const reading = await engine.read(image.bytes, signal);
  return reading.cards.map((card) => toWireCard(card, image.pixelsPerSentPixel));
}

function toWireCard({ number, issueDate, expiryDate }: EngineCard, scale: number): WireCard {
  const issuer = number === null ? null : findIssuer(number.text.slice(0, 10), number.text.length);
  const field = (text: EngineText | null): WireField | null =>
    text === null ? null : { ...text, keypoints: scaleQuad(text.keypoints, scale) };
  const named = (text: string | undefined): WireField | null =>
    text === undefined || number === null ? null : { text, confidence: number.confidence, keypoints: null };
  const fields = {
    number: field(number),
    issueDate: field(issueDate),
    expiryDate: field(expiryDate),
    bank: named(issuer?.bank.name),
    type: named(issuer === null ? undefined : TYPE_WORDS[issuer.type]),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as WireCard;
}

/** The words of Huawei's page. */
const TYPE_WORDS = {
  debit: "借记卡",
  credit: "信用卡",
  "semi-credit": "准贷记卡",
  prepaid: "预付费卡",
  unknown: "",
} as const;

function inspect(bytes: Buffer) {
  try {
    return inspectPage(bytes, 0);
  } catch {
    return null;
  }
}

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
