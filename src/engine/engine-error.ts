import { CardbatchError } from "../domain/errors.js";

/**
 * The engine could not answer. `engine-unavailable`: no runtime or models here; `engine-image`: bytes that are no
 * picture; `engine-crashed`: a thread died under the read.
 */
export class EngineError extends CardbatchError {
  override readonly name = "EngineError";
}

/** The error of one kind with a message and, where there is one, the error under it. */
export function engineError(
  code: "engine-unavailable" | "engine-image" | "engine-crashed",
  message: string,
  cause?: unknown,
): EngineError {
  return new EngineError(code, message, cause instanceof Error ? { cause } : {});
}
