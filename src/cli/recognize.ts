import { availableParallelism } from "node:os";
import type { Command } from "commander";
import pLimit from "p-limit";
import type { CardEngine, EngineCard, EngineText } from "../domain/card-engine.js";
import { toCardbatchError } from "../domain/errors.js";
import { maskReference } from "../domain/find-pans.js";
import { findIssuer, findNetwork } from "../domain/iin.js";
import { maskDigits } from "../domain/pan.js";
import { createEnginePool } from "../engine/pool.js";
import { countPages } from "../image/inspect-page.js";
import { openImage } from "../image/open-image.js";
import { prepareImage } from "../image/prepare-image.js";
import { LOCAL_BOUNDS } from "../providers/local/local-provider.js";
import type { Context } from "./context.js";
import { examples } from "./examples.js";
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
    .addHelpText("after", examples("recognize samples/flat/*.jpg"))
    .action(async (images: string[], options: RecognizeOptions) => exit(await recognize(images, options, context)));
}

async function recognize(
  images: readonly string[],
  { reveal }: RecognizeOptions,
  { terminal, stop }: Context,
): Promise<number> {
  const engine = createEnginePool();
  const limit = pLimit(availableParallelism());
  const show = reveal === true ? (digits: string) => digits : maskDigits;
  const reads = images.map((path) => limit(() => readImage(engine, path, show, stop.soft)));
  // Each is awaited in its turn; until then a rejection is not unhandled.
  for (const read of reads) read.catch(() => {});
  let failed = false;
  try {
    for (const [i, read] of reads.entries()) {
      const path = images[i] ?? "";
      const { lines, isFailure } = await read;
      failed ||= isFailure;
      for (const line of lines)
        terminal.data(JSON.stringify({ source: reveal === true ? path : maskReference(path), ...line }));
    }
  } finally {
    limit.clearQueue();
    await engine.close();
  }
  return failed ? EXIT.someFailed : EXIT.ok;
}

/** One line a page, or one that says what is wrong. @throws EngineError when there is no engine */
async function readImage(engine: CardEngine, path: string, show: (digits: string) => string, signal: AbortSignal) {
  try {
    return { lines: await readPages(engine, path, show, signal), isFailure: false };
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message, hint, disposition } = toCardbatchError(thrown);
    if (disposition === "stop-provider") throw thrown;
    return { lines: [{ code, message: `${message}: ${hint}` }], isFailure: true };
  }
}

async function readPages(engine: CardEngine, path: string, show: (digits: string) => string, signal: AbortSignal) {
  const bytes = openImage(path);
  const lines: object[] = [];
  for (let page = 0; page < countPages(bytes); page++) {
    const startedAt = performance.now();
    const image = await prepareImage(bytes, page, LOCAL_BOUNDS, signal);
    const { cards } = await engine.read(image.bytes, signal);
    const described = cards.map((card) => describeCard(card, image.pixelsPerSentPixel, show));
    lines.push({ page, cards: described, ms: Math.round(performance.now() - startedAt) });
  }
  return lines;
}

function describeCard(
  { number, issueDate, expiryDate, quad, direction, quality: { blur, glare, cutEdge } }: EngineCard,
  scale: number,
  show: (digits: string) => string,
) {
  const digits = number?.text ?? "";
  const issuer = findIssuer(digits.slice(0, 10), digits.length);
  const toPixels = (points: EngineText["keypoints"]) =>
    points.map(({ x, y }) => ({ x: Math.round(x * scale), y: Math.round(y * scale) }));
  const field = (text: EngineText | null) =>
    text === null ? null : { value: text.text, confidence: round4(text.confidence) };
  return {
    number:
      number === null
        ? null
        : { value: show(digits), confidence: round4(number.confidence), keypoints: toPixels(number.keypoints) },
    bank: issuer?.bank ?? null,
    network: findNetwork(digits, digits.length)?.network ?? null,
    type: issuer?.type ?? "unknown",
    issueDate: field(issueDate),
    expiryDate: field(expiryDate),
    quad: quad === null ? null : toPixels(quad),
    direction,
    quality: { blur: round2(blur), glare: round2(glare), cutEdge },
  };
}

function round2(value: number | null): number | null {
  return value === null ? null : Math.round(value * 100) / 100;
}

function round4(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
