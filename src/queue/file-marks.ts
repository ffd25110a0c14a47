import { createHash } from "node:crypto";
import type { FileMarks, FileState } from "../domain/file-state.js";
import { type Keys, MARK_BUCKETS } from "./keys.js";
import { type Redis, untilDone } from "./redis.js";

/** Of a file's name, after its bucket. @unit bytes */
const NAME_BYTES = 6;
/** Of its name, state and the batch's generation: a changed file passes for unchanged once in 2^48. @unit bytes */
const STATE_BYTES = 6;
/** Of the number of the run that read it. @unit bytes */
const RUN_BYTES = 2;
const RUN_FIELD = "filesRun";

/**
 * A batch's marks of files: 14 bytes a file, and what Redis needs to keep them. A mark tells which run read the file, and counts
 * when that is not the run that is going on: only a run that has succeeded is followed by another number.
 */
export interface BatchFileMarks extends FileMarks {
  /** What was noted counts from now on. */
  keep(): Promise<void>;
}

/** @param generation of the batch; to read its files anew, whatever their marks say, is to give it another one */
export async function openFileMarks(
  redis: Redis,
  keys: Keys,
  batch: string,
  generation: string,
): Promise<BatchFileMarks> {
  const number = Number((await redis.hget(keys.batch(batch), RUN_FIELD)) ?? 0);
  const run = Buffer.alloc(RUN_BYTES);
  run.writeUInt16BE(number % 2 ** (8 * RUN_BYTES));
  const markOf = ({ name, stamp }: FileState) => {
    const place = createHash("sha256").update(name).digest();
    const state = createHash("sha256")
      .update(JSON.stringify([name, stamp, generation]))
      .digest();
    return {
      key: keys.files(batch, place.readUInt16BE(0) % MARK_BUCKETS),
      field: place.subarray(2, 2 + NAME_BYTES),
      state: state.subarray(0, STATE_BYTES),
    };
  };
  return {
    areKnown: async (files) => {
      if (files.length === 0) return [];
      const marks = files.map(markOf);
      const replies = await untilDone(async () => {
        const pipeline = redis.pipeline();
        for (const { key, field } of marks) pipeline.hgetBuffer(key, field);
        return pipeline.exec();
      });
      return marks.map(({ state }, i) => {
        const mark = replies?.[i]?.[1];
        return (
          Buffer.isBuffer(mark) &&
          mark.subarray(0, STATE_BYTES).equals(state) &&
          !mark.subarray(STATE_BYTES).equals(run)
        );
      });
    },
    note: async (files) => {
      const marks = files.filter(({ isFresh }) => !isFresh).map(markOf);
      if (marks.length === 0) return;
      await untilDone(async () => {
        const pipeline = redis.pipeline();
        for (const { key, field, state } of marks) pipeline.hset(key, field, Buffer.concat([state, run]));
        return pipeline.exec();
      });
    },
    keep: async () => void (await redis.hset(keys.batch(batch), RUN_FIELD, number + 1)),
  };
}

/** Takes a batch's marks of files away: whoever reads it next opens all of them. */
export async function forgetFileMarks(redis: Redis, keys: Keys, batch: string): Promise<void> {
  const all = Array.from({ length: MARK_BUCKETS }, (_, bucket) => keys.files(batch, bucket));
  for (let i = 0; i < all.length; i += 512) await redis.unlink(...all.slice(i, i + 512));
}
