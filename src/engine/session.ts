import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { engineError } from "./engine-error.js";
import { loadRuntime, type Net, type Runtime } from "./runtime.js";
import { type EngineSettings, parseSettings } from "./settings.js";

const MODELS = fileURLToPath(new URL("../../models/", import.meta.url));

/** All that a thread needs to read cards. */
export interface Models {
  readonly locator: Net;
  readonly closeup: Net;
  readonly reader: Net;
  readonly settings: EngineSettings;
  close(): Promise<void>;
}

/**
 * Loads runtime, nets and settings.
 * @param folder where the model files lie; by default the package's own `models/`
 * @param runtimes in the order in which they are tried
 * @throws EngineError `engine-unavailable`
 */
export async function loadModels(folder: string = MODELS, runtimes?: readonly Runtime[]): Promise<Models> {
  const { openNet } = await loadRuntime(runtimes);
  try {
    const path = (name: string): string => `${folder.replace(/\/$/, "")}/${name}`;
    const settings = parseSettings(await readFile(path("engine.json"), "utf8"));
    const names = ["locator.onnx", "closeup.onnx", "reader.onnx"];
    const [locator, closeup, reader] = await Promise.all(names.map((name) => openNet(path(name))));
    if (locator === undefined || closeup === undefined || reader === undefined) throw new Error("a net is missing");
    const close = async (): Promise<void> => {
      await Promise.all([locator.release(), closeup.release(), reader.release()]);
    };
    return { locator, closeup, reader, settings, close };
  } catch (cause) {
    throw engineError("engine-unavailable", "the engine's model files could not be loaded", cause);
  }
}
