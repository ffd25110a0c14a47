import { channel } from "node:diagnostics_channel";
import { expect, it } from "vitest";
import { createFailpoint, FAILPOINTS, type Failpoint } from "../../src/app/failpoint.js";
import type { CardbatchEvent, Step } from "../../src/domain/events.js";
import { called } from "../helpers/called.js";
import { recordOf } from "../helpers/records.js";

const record = recordOf("b", 1);
const step = (name: Step): CardbatchEvent => ({ type: "step", step: name, request: record.request });
const EVENTS: Readonly<Record<Exclude<Failpoint, "call-sent">, CardbatchEvent>> = {
  taken: step("taken"),
  decoding: step("decoding"),
  prepared: step("prepared"),
  "before-call": { type: "turn-taken", provider: "huawei", waitedMs: 0 },
  answered: called(),
  stored: step("stored"),
  published: { type: "finished", record, durationMs: 1 },
  recorded: { type: "recorded", sink: "ndjson", count: 1 },
  followed: { type: "followed", sink: "postgres", count: 1 },
  completed: step("completed"),
};

it.each(FAILPOINTS.filter((name) => name !== "call-sent"))(
  "dies the second time it reaches %s, and nowhere else",
  (name) => {
    let deaths = 0;
    const observe = createFailpoint(`${name}:2`, () => deaths++);
    for (const event of Object.values(EVENTS)) observe(event);
    expect(deaths).toBe(0);
    observe(EVENTS[name]);
    expect(deaths).toBe(1);
  },
);

it("dies when a request has gone out", () => {
  let deaths = 0;
  createFailpoint("call-sent", () => deaths++);
  channel("undici:request:bodySent").publish({});
  expect(deaths).toBe(1);
});

it("dies for one request alone", () => {
  let deaths = 0;
  const observe = createFailpoint(`decoding@${record.request}`, () => deaths++);
  observe({ type: "step", step: "decoding", request: "r_another" });
  expect(deaths).toBe(0);
  observe(step("decoding"));
  expect(deaths).toBe(1);
});
