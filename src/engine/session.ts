import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { engineError } from "./engine-error.js";
import { type EngineSettings, parseSettings } from "./settings.js";

const MODELS = fileURLToPath(new URL("../../models/", import.meta.url));

/** A net's output: values row by row, and its shape. */
export interface NetOutput {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** One loaded net: float32 in, float32 out. */
export interface Net {
  run(input: Float32Array, shape: readonly number[]): Promise<NetOutput>;
}

/** All that a thread needs to read cards. */
export interface Models {
  readonly locator: Net;
  readonly closeup: Net;
  readonly reader: Net;
  readonly settings: EngineSettings;
  close(): Promise<void>;
}

type Runtime = typeof import("onnxruntime-node");

/**
 * Loads runtime, nets and settings.
 * @param folder where the model files lie; by default the package's own `models/`
 * @throws EngineError `engine-unavailable`
 */
export async function loadModels(folder: string = MODELS): Promise<Models> {
  const runtime = await loadRuntime();
  try {
    const path = (name: string): string => `${folder.replace(/\/$/, "")}/${name}`;
    const settings = parseSettings(await readFile(path("engine.json"), "utf8"));
    const names = ["locator.onnx", "closeup.onnx", "reader.onnx"];
    const [locator, closeup, reader] = await Promise.all(names.map((name) => openNet(runtime, path(name))));
    if (locator === undefined || closeup === undefined || reader === undefined) throw new Error("a net is missing");
    const close = async (): Promise<void> => {
      await Promise.all([locator.release(), closeup.release(), reader.release()]);
    };
    return { locator, closeup, reader, settings, close };
  } catch (cause) {
    throw engineError("engine-unavailable", "the engine's model files could not be loaded", cause);
  }
}

async function loadRuntime(): Promise<Runtime> {
  // The library would otherwise keep a device id on disk and send usage figures home. It reads the variable once, when it
  // is loaded, and has no other switch that comes early enough.
  process.env.ORT_DISABLE_TELEMETRY = "1";
  try {
    return await import("onnxruntime-node");
  } catch (cause) {
    const message = `onnxruntime-node cannot be loaded on ${process.platform}/${process.arch}; run: ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node`;
    throw engineError("engine-unavailable", message, cause);
  }
}

async function openNet(runtime: Runtime, path: string): Promise<Net & { release(): Promise<void> }> {
  // One thread a session: the pool's threads are the parallelism, and more would fight over the cores.
  const session = await runtime.InferenceSession.create(path, {
    executionProviders: ["cpu"],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  return {
    run: (input, shape) => runNet(runtime, session, input, shape),
    release: () => session.release(),
  };
}

async function runNet(
  runtime: Runtime,
  session: InferenceSession,
  input: Float32Array,
  shape: readonly number[],
): Promise<NetOutput> {
  const name = session.inputNames[0] ?? "input";
  const outputs = await session.run({ [name]: new runtime.Tensor("float32", input, shape) });
  const output: Tensor | undefined = outputs[session.outputNames[0] ?? "output"];
  if (output === undefined || !(output.data instanceof Float32Array)) throw new Error("a net gave no floats");
  return { data: output.data, shape: output.dims };
}
