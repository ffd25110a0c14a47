import type { Answer, ProviderName } from "../domain/answer.js";
import { CardbatchError } from "../domain/errors.js";
import type { CardbatchEvent, EventSink } from "../domain/events.js";
import type { GoldenMatch } from "../domain/golden.js";
import type { Pan } from "../domain/pan.js";
import type { JudgedReading, Judgement, Reading } from "../domain/reading.js";

/** So many are under way at a time in one process: they are to measure the work, not to hold it up. */
const MOST_UNDER_WAY = 2;

/** A labelled image. */
export interface GoldenImage {
  readonly path: string;
  readonly page: number;
  /** Of the number on it; null: there is none to read. */
  readonly fingerprint: string | null;
}

export interface GoldenOptions {
  readonly images: readonly GoldenImage[];
  /** Golden calls for each call, 0..1. */
  readonly share: number;
}

export interface GoldenDeps {
  /** Calls a provider for an image, whatever is known of it; with how many cards that provider can tell of. */
  readonly call: (
    provider: ProviderName,
    image: GoldenImage,
  ) => Promise<{ answer: Answer; cardsPerImage: JudgedReading["cardsPerImage"] } | null>;
  readonly normalize: (answer: Answer, now: Date) => Reading;
  readonly judge: (readings: readonly JudgedReading[]) => Judgement;
  readonly fingerprint: (number: Pan) => string;
  readonly emit: EventSink;
  readonly random: () => number;
}

export interface GoldenChecks {
  /** Hears of calls, and has some of them followed by a golden one. */
  observe(event: CardbatchEvent): void;
  /** Begins nothing more, and waits for what is under way. */
  close(): Promise<void>;
}

/** Calls for labelled images beside the work, to see while it goes on whether the provider still reads well. */
export function createGoldenChecks({ images, share }: GoldenOptions, deps: GoldenDeps): GoldenChecks {
  const underWay = new Set<Promise<void>>();
  let isClosed = false;
  const check = async (provider: ProviderName, image: GoldenImage) => {
    const called = await deps.call(provider, image);
    if (called === null) return;
    const reading = deps.normalize(called.answer, new Date());
    const match = matchOf(reading, image, deps.fingerprint);
    const { verdict } = deps.judge([{ reading, cardsPerImage: called.cardsPerImage }]);
    deps.emit({ type: "golden", provider, match, isAccepted: verdict === "accepted" });
  };
  return {
    observe: (event) => {
      if (isClosed || event.type !== "called" || event.isGolden === true) return;
      if (event.result !== "ok" && event.result !== "no-card") return;
      if (deps.random() >= share || underWay.size >= MOST_UNDER_WAY) return;
      const image = images[Math.floor(deps.random() * images.length)];
      if (image === undefined) return;
      const checking = check(event.provider, image)
        .catch((error: unknown) => {
          // What the vendor or the wish to stop did to it is told as a call already.
          if (!(error instanceof CardbatchError)) deps.emit({ type: "fault", where: "golden", error });
        })
        .finally(() => underWay.delete(checking));
      underWay.add(checking);
    },
    close: async () => {
      isClosed = true;
      await Promise.all(underWay);
    },
  };
}

function matchOf({ cards }: Reading, image: GoldenImage, fingerprint: (number: Pan) => string): GoldenMatch {
  const number = cards[0]?.number ?? null;
  if (number === null) return image.fingerprint === null ? "exact" : "missing";
  return fingerprint(number) === image.fingerprint ? "exact" : "wrong";
}
