import { EventEmitter } from "node:events";
import type { Worker } from "bullmq";
import { expect, test } from "vitest";
import type { CardbatchEvent } from "../../src/domain/events.js";
import { reportErrors } from "../../src/queue/report-errors.js";

test("a renewal that came too late is no fault, whatever else goes wrong is", () => {
  const worker = new EventEmitter();
  const events: CardbatchEvent[] = [];
  reportErrors(worker as unknown as Worker, (event) => void events.push(event));
  const gone = new Error("the connection is gone");
  worker.emit("error", gone);
  worker.emit("lockRenewalFailed", ["a", "b"]);
  for (const job of ["a", "b"]) worker.emit("error", new Error(`could not renew lock for job ${job}`));
  worker.emit("error", gone);
  expect(events).toEqual([1, 2].map(() => ({ type: "fault", where: "queue", error: gone })));
});
