/** What runs the nets: the native library, or where it has no file for the platform, the same library as WebAssembly. */
import { readFile } from "node:fs/promises";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { engineError } from "./engine-error.js";

/** A net's output: values row by row, and its shape. */
export interface NetOutput {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** One loaded net: float32 in, float32 out. */
export interface Net {
  run(input: Float32Array, shape: readonly number[]): Promise<NetOutput>;
  release(): Promise<void>;
}

/** A way to run nets. Loading it fails where the machine has none of it. */
export interface Runtime {
  readonly name: "native" | "wasm";
  load(): Promise<{ openNet(path: string): Promise<Net> }>;
}

type Library = Pick<typeof import("onnxruntime-node"), "InferenceSession" | "Tensor">;

export const NATIVE: Runtime = {
  name: "native",
  load: async () => {
    // The library would otherwise keep a device id on disk and send usage figures home. It reads the variable once, when
    // it is loaded, and has no other switch that comes early enough.
    process.env.ORT_DISABLE_TELEMETRY = "1";
    const library = await import("onnxruntime-node");
    return { openNet: async (path) => openNet(library, await readFile(path), ["cpu"]) };
  },
};

/** Four to five times slower than native, and 14 MB to load: only where there is no native file. */
export const WASM: Runtime = {
  name: "wasm",
  load: async () => {
    const library = await import("onnxruntime-web/wasm");
    library.env.wasm.numThreads = 1;
    return { openNet: async (path) => openNet(library, await readFile(path), ["wasm"]) };
  },
};

/**
 * Loads the first runtime that this machine has; those after it are left alone.
 * @throws EngineError `engine-unavailable` when there is none
 */
export async function loadRuntime(
  runtimes: readonly Runtime[] = [NATIVE, WASM],
): Promise<Awaited<ReturnType<Runtime["load"]>>> {
  const causes: unknown[] = [];
  for (const runtime of runtimes) {
    try {
      return await runtime.load();
    } catch (cause) {
      causes.push(cause);
    }
  }
  const message = `neither onnxruntime-node nor onnxruntime-web can be loaded on ${process.platform}/${process.arch}; run: npm install --include=optional`;
  throw engineError("engine-unavailable", message, new AggregateError(causes));
}

async function openNet(library: Library, model: Uint8Array, executionProviders: string[]): Promise<Net> {
  // One thread a session: the pool's threads are the parallelism, and more would fight over the cores.
  const session = await library.InferenceSession.create(model, {
    executionProviders,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  return {
    run: (input, shape) => runNet(library, session, input, shape),
    release: () => session.release(),
  };
}

async function runNet(
  library: Library,
  session: InferenceSession,
  input: Float32Array,
  shape: readonly number[],
): Promise<NetOutput> {
  const name = session.inputNames[0] ?? "input";
  const outputs = await session.run({ [name]: new library.Tensor("float32", input, shape) });
  const output: Tensor | undefined = outputs[session.outputNames[0] ?? "output"];
  if (output === undefined || !(output.data instanceof Float32Array)) throw new Error("a net gave no floats");
  return { data: output.data, shape: output.dims };
}
