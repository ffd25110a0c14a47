import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "csv-parse/sync";
import sharp from "sharp";
import { median, quantile, round } from "../lib/figures.mjs";
import { drawOversized } from "../lib/pictures.mjs";

const SAMPLES = fileURLToPath(new URL("../../samples/", import.meta.url));
const SIZE = { width: 1012, height: 638 };
const MB = 1024 * 1024;

/** One thread of the embedded engine on pictures of one card, and Tesseract on the same files. */
export const engineRow = {
  name: "engine",
  what: `the embedded engine, one thread, JPEG of ${SIZE.width}×${SIZE.height} to reading`,
  measure: async (place, scale) => {
    const cards = await sampleCards(place.folder);
    return withEngine(place, async (engine) => {
      const mine = await timeAll(
        cards,
        scale.reads,
        async ({ bytes }) => (await engine.read(bytes)).cards[0]?.number?.text,
      );
      const theirs = await tesseract(place, cards);
      const [p50, p95] = [median(mine.times), quantile(mine.times, 0.95)];
      return {
        value: round(p50, 1),
        measured: `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms; ${mine.right} of ${cards.length} exact`,
        beside:
          theirs === null
            ? "tesseract: not on PATH, skipped"
            : `tesseract p50 ${median(theirs.times).toFixed(0)} ms; ${theirs.right} of ${cards.length} exact`,
        goal: "≤ 40, ≤ 80 ms",
        met: p50 <= 40 && p95 <= 80,
        rounds: { engine: mine.times, tesseract: theirs?.times ?? null },
      };
    });
  },
};

export const enginePhotoRow = {
  name: "engine-photo",
  what: "the embedded engine, one thread, photo of 12 megapixels",
  measure: async (place, scale) => {
    const [card] = await sampleCards(place.folder);
    // The card lies in the middle of a frame that a phone would take.
    const photo = await sharp(await drawOversized())
      .composite([{ input: await sharp(card.bytes).resize(2600).toBuffer(), gravity: "center" }])
      .jpeg({ quality: 90 })
      .toBuffer();
    return withEngine(place, async (engine) => {
      const { times } = await timeAll([{ bytes: photo }], scale.reads, ({ bytes }) => engine.read(bytes));
      const p50 = median(times);
      return {
        value: round(p50, 1),
        measured: `p50 ${p50.toFixed(0)} ms`,
        beside: "",
        goal: "≤ 130 ms",
        met: p50 <= 130,
        rounds: { times },
      };
    });
  },
};

/** What the process holds after few and after many pictures through one thread. */
export const engineMemoryRow = {
  name: "engine-memory",
  what: "memory of an engine thread, few and many pictures",
  measure: async (place, scale) => {
    const cards = await sampleCards(place.folder);
    const [few, many] = scale.engineImages;
    return withEngine(place, async (engine) => {
      let read = 0;
      const readUpTo = async (count) => {
        for (; read < count; read++) await engine.read(cards[read % cards.length].bytes);
        return residentBytes();
      };
      const small = await readUpTo(few);
      const large = await readUpTo(many);
      const growth = large / small - 1;
      return {
        value: round(growth, 3),
        measured: `${(large / MB).toFixed(0)} MB after ${many} pictures, ${growth < 0 ? "" : "+"}${(100 * growth).toFixed(0)} %`,
        beside: `${(small / MB).toFixed(0)} MB after ${few}`,
        goal: "flat (± 10 %)",
        met: growth <= 0.1,
        rounds: { small, large },
      };
    });
  },
};

async function withEngine(place, measure) {
  const { createEnginePool } = await place.load("engine/pool.js");
  const engine = createEnginePool({ threads: 1 });
  try {
    return await measure(engine);
  } finally {
    await engine.close();
  }
}

/** The samples that are one card cut to its edges, at the size the figure is for. */
async function sampleCards(folder) {
  const rows = parse(await readFile(join(SAMPLES, "truth.csv")), { columns: true, bom: true });
  const chosen = rows.filter(({ file }) => /^(embossed|flat)\//.test(file));
  return Promise.all(
    chosen.map(async ({ file, number }, i) => {
      const bytes = await sharp(join(SAMPLES, file))
        .resize({ ...SIZE, fit: "fill" })
        .jpeg({ quality: 90 })
        .toBuffer();
      const path = join(folder, `card-${i}.jpg`);
      await writeFile(path, bytes);
      return { bytes, path, number };
    }),
  );
}

/** Every picture `rounds` times after one that nobody counts; right are those that a read gives the number of. */
async function timeAll(cards, rounds, read) {
  const times = [];
  let right = 0;
  await read(cards[0]);
  for (let round = 0; round < rounds; round++) {
    for (const card of cards) {
      const startedAt = performance.now();
      const number = await read(card);
      times.push(performance.now() - startedAt);
      if (round === 0 && number === card.number) right++;
    }
  }
  return { times, right };
}

/** Sparse text, digits alone; a number counts wherever it stands in what was read. Null where there is no tesseract. */
async function tesseract(place, cards) {
  const env = { PATH: place.path, OMP_THREAD_LIMIT: "1" };
  const options = ["--psm", "11", "-c", "tessedit_char_whitelist=0123456789"];
  const read = async ({ path, number }) => {
    const { stdout } = await promisify(execFile)("tesseract", [path, "stdout", ...options], { env });
    return stdout.replace(/\D/g, "").includes(number) ? number : null;
  };
  try {
    return await timeAll(cards, 1, read);
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

function residentBytes() {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}
