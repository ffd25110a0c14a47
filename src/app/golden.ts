import { dirname, resolve } from "node:path";
import type { App } from "../app.js";
import type { CallGolden } from "../dispatch/call-golden.js";
import type { ProviderName } from "../domain/answer.js";
import type { StopSignals } from "../domain/dispatcher.js";
import { ConfigError } from "../domain/errors.js";
import type { OcrProvider } from "../domain/provider.js";
import { prepareImage } from "../image/prepare-image.js";
import { createGoldenChecks, type GoldenChecks } from "../recognition/golden.js";
import { readLabels } from "../results/accuracy.js";
import { judge } from "../verify/judge.js";
import { normalizeAnswer } from "../verify/normalize-answer.js";
import { thresholdsOf } from "./thresholds.js";

/** A provider and the way to call it for nobody's request. */
export interface GoldenLane {
  readonly provider: OcrProvider;
  readonly callGolden: CallGolden;
}

/**
 * Starts to follow a share of calls by golden ones, where a labelled set is named.
 * @returns null: none is
 * @throws ConfigError when the set cannot be used
 */
export async function startGolden(
  app: App,
  lane: (provider: ProviderName) => GoldenLane | null,
  stop: StopSignals,
): Promise<GoldenChecks | null> {
  const { golden, goldenShare: share } = app.config;
  if (golden === undefined) return null;
  const folder = dirname(resolve(golden));
  const labels = await readLabels(golden, app.vault.fingerprint).catch((error: unknown) => {
    throw new ConfigError(`CARDBATCH_GOLDEN=${golden}: ${error instanceof Error ? error.message : "cannot be read"}`);
  });
  const images = [...labels.values()].map(({ file, page, fingerprint }) => ({
    path: resolve(folder, file),
    page,
    fingerprint,
  }));
  if (images.length === 0) throw new ConfigError(`CARDBATCH_GOLDEN=${golden}: has no line`);
  const thresholds = thresholdsOf(app.config);
  const checks = createGoldenChecks(
    { images, share },
    {
      call: async (name, { path, page }) => {
        const its = lane(name);
        if (its === null) return null;
        const { bytes } = await app.files.read(path, folder, stop.soft);
        const { bounds, cardsPerImage } = its.provider;
        const answer = await its.callGolden(() => prepareImage(bytes, page, bounds, stop.soft), stop);
        return { answer, cardsPerImage };
      },
      normalize: normalizeAnswer,
      judge: (readings) => judge(readings, thresholds),
      fingerprint: app.vault.fingerprint,
      emit: app.emit,
      random: Math.random,
    },
  );
  const unlisten = app.onEvent(checks.observe);
  return {
    ...checks,
    close: async () => {
      unlisten();
      await checks.close();
    },
  };
}
