import type { AnswerCard, CardField } from "../../domain/answer.js";
import type { CardEngine, EngineCard, EngineText } from "../../domain/card-engine.js";
import { CancelledError, CardbatchError, ProviderError } from "../../domain/errors.js";
import type { Quad } from "../../domain/geometry.js";
import { findIssuer } from "../../domain/iin.js";
import type { ImageBounds } from "../../domain/image.js";
import { Pan } from "../../domain/pan.js";
import type { CheckStep, OcrProvider } from "../../domain/provider.js";
import { scaleQuad } from "../answer-fields.js";

/**
 * What the engine is given. It could decode more formats; these two it has in common with every vendor, so that a page
 * is the same bytes, and the same reading, whoever reads it. It scales down by itself.
 */
export const LOCAL_BOUNDS: ImageBounds = {
  formats: ["jpeg", "png"],
  minSide: 15,
  maxSide: 8192,
  maxBase64Bytes: 96 * 1024 * 1024,
};

/**
 * The embedded engine as a provider: no network, no account, no bill. It reads number and dates; bank and type are those
 * that the issuer table has for the number's prefix.
 */
export function createLocalProvider(engine: CardEngine): OcrProvider {
  return {
    name: "local",
    bounds: LOCAL_BOUNDS,
    cardsPerImage: "many",
    answerOptions: "",
    account: "local",
    authorize: async () => {},
    encode: (image) => ({ body: image.bytes, bodySha256: "", image }),
    call: async (encoded, signal) => {
      const startedAt = performance.now();
      const reading = await engine.read(encoded.body, signal).catch((error: unknown) => {
        throw toProviderError(error);
      });
      const { pixelsPerSentPixel } = encoded.image;
      return {
        provider: "local",
        cards: reading.cards.map((card) => toAnswerCard(card, pixelsPerSentPixel)),
        requestId: null,
        latencyMs: Math.round((performance.now() - startedAt) * 10) / 10,
        billable: false,
      };
    },
    check: (image, signal) => check(engine, image?.bytes ?? null, signal),
    close: async () => {},
  };
}

function toAnswerCard({ number, issueDate, expiryDate }: EngineCard, scale: number): AnswerCard {
  const pan = number === null ? null : new Pan(number.text);
  const issuer = pan === null ? null : findIssuer(pan.iin, pan.length);
  const confidence: Partial<Record<CardField, number>> = {};
  const keypoints: Partial<Record<CardField, Quad>> = {};
  const note = (field: CardField, text: EngineText | null) => {
    if (text === null) return;
    confidence[field] = text.confidence;
    keypoints[field] = scaleQuad(text.keypoints, scale);
  };
  note("number", number);
  note("issueDate", issueDate);
  note("expiryDate", expiryDate);
  return {
    number: pan,
    bankName: issuer?.bank.name ?? null,
    bankCode: issuer?.bank.code ?? null,
    type: issuer?.type ?? null,
    issueDate: issueDate?.text ?? null,
    expiryDate: expiryDate?.text ?? null,
    confidence,
    keypoints,
  };
}

function toProviderError(error: unknown): Error {
  if (error instanceof CancelledError) return error;
  if (error instanceof CardbatchError) return new ProviderError(error.code, error.message, { cause: error });
  return error instanceof Error ? error : new Error(String(error));
}

async function* check(engine: CardEngine, image: Uint8Array | null, signal: AbortSignal): AsyncGenerator<CheckStep> {
  try {
    await engine.read(image ?? BLANK_PICTURE, signal);
    yield { name: "engine", ok: true, detail: image === null ? "the engine runs" : "the engine has read the image" };
  } catch (error) {
    const hint = error instanceof CardbatchError ? `${error.message}: ${error.hint}` : "unexpected fault";
    yield { name: "engine", ok: false, detail: hint };
  }
}

/** A white PNG of 16 × 16 pixels. */
const BLANK_PICTURE = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAHUlEQVQokWP4TyJgGNVABGAgRhEyGNVADKB9KAEAr639H8LdEzEAAAAASUVORK5CYII=",
  "base64",
);
