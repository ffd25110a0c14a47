import type { Command } from "commander";
import type { CardEngine, EngineCard, EngineText } from "../domain/card-engine.js";
import { CardbatchError, toCardbatchError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { findIssuer, findNetwork } from "../domain/iin.js";
import { maskDigits } from "../domain/pan.js";
import { createEnginePool } from "../engine/pool.js";
import { countPages } from "../image/inspect-page.js";
import { openImage } from "../image/open-image.js";
import { prepareImage } from "../image/prepare-image.js";
import { LOCAL_BOUNDS } from "../providers/local/local-provider.js";
import type { Context } from "./context.js";
import { EXIT } from "./exit-codes.js";

interface RecognizeOptions {
  readonly reveal?: true;
}

export function addRecognize(program: Command, context: Context, exit: (code: number) => void): void {
  program
    .command("recognize")
    .argument("<image...>", "image files")
    .description("read images with the embedded engine alone: one JSON line a page on stdout")
    .option("--reveal", "print whole card numbers")
    .action(async (images: string[], options: RecognizeOptions) => exit(await recognize(images, options, context)));
}

async function recognize(
  images: readonly string[],
  { reveal }: RecognizeOptions,
  { terminal, stop }: Context,
): Promise<number> {
  const engine = createEnginePool();
  const show = reveal === true ? (digits: string) => digits : maskDigits;
  let failed = false;
  try {
    for (const path of images) {
      const source = reveal === true ? path : maskReference(path);
      try {
        for await (const line of readPages(engine, path, show, stop.soft))
          terminal.data(JSON.stringify({ source, ...line }));
      } catch (thrown) {
        stop.soft.throwIfAborted();
        failed = true;
        const { code, message, hint } = toCardbatchError(thrown);
        if (thrown instanceof CardbatchError && thrown.disposition === "stop-provider") throw thrown;
        terminal.data(JSON.stringify({ source, code, message: `${message}: ${hint}` }));
      }
    }
  } finally {
    await engine.close();
  }
  return failed ? EXIT.someFailed : EXIT.ok;
}

async function* readPages(engine: CardEngine, path: string, show: (digits: string) => string, signal: AbortSignal) {
  const { bytes } = await openImage(path, { signal });
  const pages = countPages(bytes);
  for (let page = 0; page < pages; page++) {
    const startedAt = performance.now();
    const image = await prepareImage(bytes, page, LOCAL_BOUNDS, signal);
    const { cards } = await engine.read(image.bytes, signal);
    yield {
      page,
      cards: cards.map((card) => describeCard(card, image.pixelsPerSentPixel, show)),
      ms: Math.round(performance.now() - startedAt),
    };
  }
}

function describeCard(
  { number, issueDate, expiryDate, quad }: EngineCard,
  scale: number,
  show: (digits: string) => string,
) {
  const digits = number?.text ?? "";
  const issuer = findIssuer(digits.slice(0, 10), digits.length);
  const toPixels = (points: EngineText["keypoints"]) =>
    points.map(({ x, y }) => ({ x: Math.round(x * scale), y: Math.round(y * scale) }));
  const field = (text: EngineText | null) => (text === null ? null : { value: text.text, confidence: text.confidence });
  return {
    number:
      number === null
        ? null
        : { value: show(digits), confidence: number.confidence, keypoints: toPixels(number.keypoints) },
    bank: issuer?.bank ?? null,
    network: findNetwork(digits, digits.length)?.network ?? null,
    type: issuer?.type ?? "unknown",
    issueDate: field(issueDate),
    expiryDate: field(expiryDate),
    quad: quad === null ? null : toPixels(quad),
  };
}
