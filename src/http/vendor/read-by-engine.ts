import type { CardEngine, EngineCard, EngineText } from "../../domain/card-engine.js";
import { findIssuer } from "../../domain/iin.js";
import { inspectPage } from "../../image/inspect-page.js";
import { prepareImage } from "../../image/prepare-image.js";
import { scaleQuad } from "../../providers/answer-fields.js";
import { LOCAL_BOUNDS } from "../../providers/local/local-provider.js";
import type { PictureHeader, WireCard, WireField } from "../../providers/vendor-server.js";
import { TYPE_WORDS } from "./type-words.js";

/**
 * The embedded engine in a vendor's place. Bank and type are those that the issuer table has for the number, and as sure as it is.
 * @throws ImageError, EngineError
 */
export async function readByEngine(
  engine: CardEngine,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<readonly WireCard[]> {
  const image = await prepareImage(bytes, 0, LOCAL_BOUNDS, signal);
  const reading = await engine.read(image.bytes, signal);
  return reading.cards.map((card) => toWireCard(card, image.pixelsPerSentPixel));
}

/** Format and size by the picture's own first bytes. */
export function inspectPicture(bytes: Buffer): PictureHeader | null {
  try {
    return inspectPage(bytes, 0);
  } catch {
    return null;
  }
}

function toWireCard({ number, issueDate, expiryDate }: EngineCard, scale: number): WireCard {
  const issuer = number === null ? null : findIssuer(number.text.slice(0, 10), number.text.length);
  const named = (text: string | undefined): WireField | null =>
    text === undefined || number === null
      ? null
      : { text, confidence: fourDecimals(number.confidence), keypoints: null };
  const fields = {
    number: toWireField(number, scale),
    issueDate: toWireField(issueDate, scale),
    expiryDate: toWireField(expiryDate, scale),
    bank: named(issuer?.bank.name),
    type: named(issuer === null ? undefined : TYPE_WORDS[issuer.type]),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)) as WireCard;
}

/** As the vendors write them: four decimals, whole pixels. */
function toWireField(text: EngineText | null, scale: number): WireField | null {
  if (text === null) return null;
  const [a, b, c, d] = scaleQuad(text.keypoints, scale);
  const whole = ({ x, y }: { x: number; y: number }) => ({ x: Math.round(x), y: Math.round(y) });
  const keypoints = [whole(a), whole(b), whole(c), whole(d)] as const;
  return { text: text.text, confidence: fourDecimals(text.confidence), keypoints };
}

function fourDecimals(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
