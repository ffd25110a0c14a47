import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { SinkError } from "../../src/domain/errors.js";
import type { CardbatchEvent } from "../../src/domain/events.js";
import type { OutcomeRecord } from "../../src/domain/record.js";
import type { ResultSink, SinkPosition } from "../../src/domain/sink.js";
import { createRecorder } from "../../src/queue/recorder.js";
import { compact } from "../../src/results/compact.js";
import { type Cursor, followFiles, START } from "../../src/results/follow.js";
import { openNdjsonSink } from "../../src/results/ndjson-sink.js";
import { recordOf } from "../helpers/records.js";
import { openTestRedis } from "../helpers/redis.js";
import { tempFolder } from "../helpers/temp-folder.js";

const { redis, keys } = openTestRedis();
const ids = (records: readonly OutcomeRecord[]) => records.map(({ request }) => request);

/** Files of `--out`, and sinks in memory that follow them. */
async function setUp() {
  const folder = tempFolder();
  const log = await openNdjsonSink(folder, null);
  onTestFinished(() => log.close().catch(() => {}));
  const events: CardbatchEvent[] = [];
  let committed: SinkPosition = { results: 0, failures: 0 };
  const follow = (cursor: Cursor = START, taste = { most: 3, lingerMs: 0 }) => {
    const parts = new Map<number, readonly OutcomeRecord[]>();
    const state = { cursor, isDown: false, unsaved: 0 };
    const sink: ResultSink = {
      name: "postgres",
      place: "memory",
      taste,
      write: async (records, part) => {
        if (state.isDown) throw new SinkError("sink-unavailable", "down");
        parts.set(part, records);
      },
      close: async () => {},
    };
    const follower = followFiles(
      { folder, sink, cursor, committed },
      {
        saveCursor: async (to) => {
          if (state.unsaved-- > 0) throw new SinkError("sink-unavailable", "not saved");
          state.cursor = to;
        },
        emit: (event) => void events.push(event),
        sleep: async (ms, signal) => void (await sleep(Math.min(ms, 5), undefined, { signal })),
      },
    );
    return { follower, state, parts, all: () => [...parts.values()].flat() };
  };
  const write = async (...records: readonly OutcomeRecord[]) => {
    committed = await log.write(records);
    return committed;
  };
  return { folder, log, events, follow, write };
}

test("brings every committed outcome to the sink once, and goes on there after a start", async () => {
  const { follow, write } = await setUp();
  await write(...[1, 2, 3, 4, 5].map((name) => recordOf("b", name)), recordOf("b", 6, "failed"));
  const first = follow();
  await expect.poll(() => first.all().length).toBe(6);
  first.follower.advance(await write(recordOf("b", 7)));
  await expect.poll(() => first.all().length).toBe(7);
  await first.follower.close();
  expect(first.follower.isBehind()).toBe(false);
  expect([...first.parts.keys()]).toEqual([1, 2, 3]);

  const second = follow(first.state.cursor);
  second.follower.advance(await write(recordOf("b", 8)));
  await second.follower.close();
  expect(ids(second.all())).toEqual([recordOf("b", 8).request]);
  expect([...second.parts.keys()]).toEqual([4]);
});

test("a sink that is down holds up no other and loses nothing", async () => {
  const { follow, write, events } = await setUp();
  const [broken, sound] = [follow(), follow()];
  broken.state.isDown = true;
  for (let name = 0; name < 10; name++) {
    const position = await write(recordOf("b", name));
    for (const { follower } of [broken, sound]) follower.advance(position);
  }
  await expect.poll(() => sound.all().length).toBe(10);
  expect(broken.follower.isBehind()).toBe(true);
  await expect.poll(() => events.filter(({ type }) => type === "sink-failed").length).toBeGreaterThan(2);
  broken.state.isDown = false;
  await expect.poll(() => broken.all().length).toBe(10);
  expect(ids(broken.all())).toEqual(ids(sound.all()));
  await Promise.all([broken.follower.close(), sound.follower.close()]);
});

test("what was written before its cursor was saved comes as the same part again", async () => {
  const { follow, write } = await setUp();
  const { follower, state, parts } = follow();
  state.unsaved = 2;
  follower.advance(await write(recordOf("b", 1), recordOf("b", 2)));
  await expect.poll(() => follower.isBehind()).toBe(false);
  await follower.close();
  expect([...parts.keys()]).toEqual([1]);
  expect(parts.get(1)).toHaveLength(2);
});

test("is closed with what is committed, but does not wait for a sink that fails", async () => {
  const { follow, write } = await setUp();
  await write(recordOf("b", 1));
  const sound = follow(START, { most: 1, lingerMs: 3_600_000 });
  await sound.follower.close();
  expect(sound.all()).toHaveLength(1);
  const broken = follow();
  broken.state.isDown = true;
  await broken.follower.close();
  expect(broken.follower.isBehind()).toBe(true);
});

test("of a request that has several outcomes in a part the sink is given the last", async () => {
  const { follow, write } = await setUp();
  const at = (second: number) => ({ finishedAt: `2026-11-22T08:00:0${second}.000Z` });
  await write(recordOf("b", 1, "accepted", at(2)), recordOf("b", 1, "failed", at(1)), recordOf("b", 2));
  const { follower, all } = follow();
  await follower.close();
  expect(all().map(({ outcome }) => outcome)).toEqual(["accepted", "accepted"]);
});

test("stands after the same outcomes when the files were compacted", async () => {
  const { folder, log, follow, write } = await setUp();
  const recorder = createRecorder(redis, keys, "compacted");
  const record = async (...records: readonly OutcomeRecord[]) => {
    const position = await write(...records);
    await recorder.commit(
      position,
      records.map((each) => ({ record: each, generation: "1" })),
    );
  };
  await record(recordOf("c", 1), recordOf("c", 2, "failed"), recordOf("c", 3));
  const early = follow();
  await early.follower.close();
  await recorder.setCursor("memory", early.state.cursor);
  await recorder.setCursor("never began", START);
  await record(recordOf("c", 2, "accepted"), recordOf("c", 4), recordOf("c", 1, "failed"));
  await log.close();
  await compact(folder, recorder);

  const { memory, "never began": start } = await recorder.cursors();
  const committed = (await recorder.position()) ?? {};
  const rest = async (cursor: Cursor | undefined) => {
    const { follower, all } = follow(cursor, { most: 100, lingerMs: 0 });
    follower.advance(committed);
    await follower.close();
    return ids(all()).toSorted();
  };
  const named = (...names: number[]) => names.map((name) => recordOf("c", name).request).toSorted();
  expect(await rest(memory)).toEqual(named(1, 2, 4));
  expect(await rest(start)).toEqual(named(1, 2, 3, 4));
  expect(memory?.part).toBe(early.state.cursor.part);
});
