import type { EngineReading } from "../domain/card-engine.js";

/** What the pool tells a thread when it starts. */
export interface ThreadOptions {
  /** Folder of the model files; the package's own when left out. */
  readonly modelsDir?: string;
}

/** A picture for a thread. */
export interface ReadRequest {
  readonly id: number;
  readonly image: Uint8Array;
}

/** A thread's answer: it is ready, it read, or it could not. Errors travel as code and message. */
export type ThreadMessage =
  | { readonly kind: "ready" }
  | { readonly kind: "reading"; readonly id: number; readonly reading: EngineReading }
  | { readonly kind: "failed"; readonly id: number | null; readonly code: string; readonly message: string };
