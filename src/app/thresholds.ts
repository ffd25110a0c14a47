import { readFileSync } from "node:fs";
import type { Config } from "../config/settings.js";
import type { Thresholds } from "../domain/reading.js";
import { parseSettings } from "../engine/settings.js";

const ENGINE_SETTINGS = new URL("../../models/engine.json", import.meta.url);

/**
 * The confidence from which a number is accepted, a provider. A vendor's scale says nothing about probability, so these
 * are starting points: `cardbatch evaluate` on labelled scans of one's own tells better ones. The engine's was measured.
 */
export function thresholdsOf(config: Config): Thresholds {
  return {
    huawei: config.huawei.threshold ?? 0.9,
    shiliuai: config.shiliuai.threshold ?? 0.99,
    local: config.local.threshold ?? parseSettings(readFileSync(ENGINE_SETTINGS, "utf8")).acceptThreshold,
  };
}
