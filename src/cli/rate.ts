import { Argument, type Command, InvalidArgumentError } from "commander";
import { openReader } from "../app/reading.js";
import { rateSchema } from "../config/settings.js";
import { PROVIDER_NAMES, type ProviderName } from "../domain/answer.js";
import { UsageError } from "../domain/errors.js";
import { overrideRate } from "../queue/override-rate.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
import { EXIT } from "./exit-codes.js";

export function addRate(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("rate")
    .description("change how fast a provider is called, at once, in all processes")
    .addArgument(new Argument("<provider>").choices(PROVIDER_NAMES))
    .argument(
      "<calls/s>",
      "such as 20 or 20/s; auto finds it out; default: what the processes were told",
      parseOverride,
    )
    .option("--config <file>", "settings as JSON")
    .addHelpText("after", examples("rate huawei 5/s", "rate huawei auto", "rate huawei default"))
    .action(async (provider: ProviderName, rate: number | "auto" | null, { config }: { config?: string }) =>
      exit(await setRate(provider, rate, config, context)),
    );
}

function parseOverride(text: string): number | "auto" | null {
  if (text === "default") return null;
  const { data } = rateSchema.safeParse(text);
  if (data === undefined || data.perMinute !== null || data.perDay !== null) {
    throw new InvalidArgumentError("takes calls a second, such as 20 or 20/s, or auto, or default.");
  }
  return data.perSecond;
}

async function setRate(
  provider: ProviderName,
  rate: number | "auto" | null,
  configFile: string | undefined,
  { terminal, config, surroundings, stop }: Context,
): Promise<number> {
  const reader = await openReader(config(configFile), surroundings, stop.soft);
  try {
    const accounts = await overrideRate(reader.redis, reader.keys, provider, rate);
    if (accounts === 0) {
      throw new UsageError(`${provider}: nothing has called it yet; give the first run or worker its --rate`);
    }
    const told = rate === null ? "what its processes were told" : rate === "auto" ? "auto" : `${rate} calls/s`;
    terminal.message(`${provider}: ${told}, from now on${accounts > 1 ? `, for ${accounts} accounts` : ""}`);
    return EXIT.ok;
  } finally {
    await reader.close();
  }
}
