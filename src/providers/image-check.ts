import { type CardbatchError, toCardbatchError } from "../domain/errors.js";
import type { PreparedImage } from "../domain/image.js";
import type { CheckStep, OcrProvider } from "../domain/provider.js";

/** Reads the named picture for real: one call, charged like any other. */
export async function checkImage(provider: OcrProvider, image: PreparedImage, signal: AbortSignal): Promise<CheckStep> {
  try {
    const answer = await provider.call(provider.encode(image), signal);
    const cards = answer.cards.map((card) => card.number?.masked ?? "a card without a number").join(", ");
    const found = answer.cards.length === 0 ? "no card found" : cards;
    return {
      name: "image",
      ok: true,
      detail: `${found}; ${Math.round(answer.latencyMs)} ms, request id ${answer.requestId}`,
    };
  } catch (error) {
    return failedStep("image", toCardbatchError(error));
  }
}

export function failedStep(name: string, error: CardbatchError): CheckStep {
  if (error.code === "cancelled") throw error;
  return { name, ok: false, detail: `${error.message}; ${error.hint}` };
}
