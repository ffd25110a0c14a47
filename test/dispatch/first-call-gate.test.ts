import fc from "fast-check";
import { expect, test } from "vitest";
import { createFirstCallGate } from "../../src/dispatch/first-call-gate.js";

test("whatever the order of events: one at a time until the first success, every call made once, every result its own", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }), async (s, succeed) => {
      const gate = createFirstCallGate();
      let running = 0;
      let proven = false;
      let calls = 0;
      const pass = async (succeeds: boolean, index: number) => {
        await s.schedule(Promise.resolve(), `arrives ${index}`);
        return gate.pass(async () => {
          calls++;
          if (!proven) expect(running).toBe(0);
          running++;
          await s.schedule(Promise.resolve(), `ends ${index}`);
          running--;
          if (!succeeds) throw new Error(`${index}`);
          proven = true;
          return index;
        });
      };
      const results = await s.waitFor(Promise.allSettled(succeed.map(pass)));
      expect(calls).toBe(succeed.length);
      results.forEach((result, index) => {
        if (result.status === "fulfilled") expect([succeed[index], result.value]).toEqual([true, index]);
        else expect([succeed[index], result.reason.message]).toEqual([false, String(index)]);
      });
    }),
  );
});
