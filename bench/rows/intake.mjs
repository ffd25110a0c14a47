import { alternate, median, medianRatio, round } from "../lib/figures.mjs";
import { pictures } from "./run.mjs";

/** Files read at a time, by both. */
const CONCURRENCY = 8;

/** `enqueue` with no bound on what may wait, and a script that only reads and hashes the same files. */
export const intakeRow = {
  name: "intake",
  what: "intake of 200 kB files: walk, digest, enqueue",
  measure: async (place, scale) => {
    const archive = await pictures(place, "archive", scale.images);
    const few = await pictures(place, "few", scale.fewImages);
    const hash = ({ folder }) => place.runScript("hash-archive.mjs", { folder, concurrency: CONCURRENCY });
    const enqueue = async ({ folder }) => {
      await place.forget();
      return place.run(["enqueue", folder, "--provider", "huawei", "--backlog", "100000000"]);
    };
    // What the start of a command takes is in neither figure.
    const perSecond = async (measure) => {
      const short = await measure(few);
      const long = await measure(archive);
      return (1000 * (archive.count - few.count)) / (long.ms - short.ms);
    };
    const [hashed, enqueued] = await alternate(
      scale.rounds,
      () => perSecond(hash),
      () => perSecond(enqueue),
    );
    const ratio = medianRatio(enqueued, hashed, (speed) => speed);
    return {
      value: round(ratio),
      measured: `${median(enqueued).toFixed(0)}/s = ${ratio.toFixed(2)} ×`,
      beside: `reading and hashing alone ${median(hashed).toFixed(0)}/s`,
      goal: "≥ 0.8 ×",
      met: ratio >= 0.8,
      rounds: { enqueued, hashed },
    };
  },
};
