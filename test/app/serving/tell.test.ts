import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { ServingParts } from "../../../src/app/serving/parts.js";
import { tellOutcomes } from "../../../src/app/serving/tell.js";

/** More outcomes than can be told at a time; those of slow receivers take long. */
function busyParts() {
  let count = 0;
  let parked = 0;
  const parts = {
    app: { emit: () => {} },
    policy: { allows: () => true },
    deliveries: {
      claim: async (most: number) =>
        Array.from({ length: most }, () => ({
          id: `${count++}`,
          key: "k",
          webhook: "",
          outcome: "{}",
          attempts: 0,
          sinceMs: 0,
        })),
      park: async () => void parked++,
      keep: async () => {},
    },
    apiKeys: {
      get: async () => {
        await sleep(1 + (count % 7));
        return null;
      },
    },
  };
  return { parts: parts as unknown as ServingParts, parked: () => parked };
}

test("telling as many as it can holds on to nothing", async () => {
  const warnings: string[] = [];
  const warn = (warning: Error) => warnings.push(warning.name);
  process.on("warning", warn);
  const { parts, parked } = busyParts();
  const telling = tellOutcomes(parts);
  await expect.poll(parked).toBeGreaterThan(300);
  await telling.close();
  process.off("warning", warn);
  expect(warnings).toEqual([]);
});
