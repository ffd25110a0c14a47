import { dryRun } from "../app/dry-run.js";
import { noImage, type OpenedSources, openSources } from "../app/feeding.js";
import { openReader } from "../app/reading.js";
import type { Context } from "./context.js";
import { dryRunText } from "./dry-run-text.js";
import { EXIT } from "./exit-codes.js";
import type { RunOptions } from "./run-options.js";
import { applyRunOptions, batchTerms, defaultBatchName, namedProviders } from "./run-terms.js";

/** `--dry-run` of `run` and `enqueue`. @returns the exit code */
export async function tellDryRun(names: readonly string[], options: RunOptions, context: Context): Promise<number> {
  const { terminal, surroundings, stop } = context;
  const asConfigured = context.config(options.config);
  const providers = namedProviders(options.provider, asConfigured);
  const config = applyRunOptions(asConfigured, options, providers);
  const terms = batchTerms(options, config, providers);
  const sources: OpenedSources = await openSources(config, names, options.encoding);
  const name = options.batch ?? defaultBatchName(sources.sources, providers);
  const reader = await openReader(config, surroundings, stop.soft);
  try {
    const { limit = null, refresh = false } = options;
    const result = await dryRun(reader, { name, sources, providers, limit, refresh, terms }, stop.soft);
    if (result.pages === 0) throw noImage(result.ignored);
    if (options.json === true) terminal.data(JSON.stringify({ dryRun: true, ...result }));
    else terminal.message(dryRunText(result, providers));
    return EXIT.ok;
  } finally {
    await reader.close();
  }
}
