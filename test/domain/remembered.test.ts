import { expect, test } from "vitest";
import { rememberedBy } from "../../src/domain/remembered.js";

test("asks once for as long as the answer is kept", async () => {
  const asked: string[] = [];
  const answer = rememberedBy(async (key) => asked.push(key), 60_000);
  expect(await Promise.all([answer("a"), answer("a"), answer("b")])).toEqual([1, 1, 2]);
  expect(asked).toEqual(["a", "b"]);
});

test("asks again when the answer is too old, and when it failed", async () => {
  let asked = 0;
  const answer = rememberedBy(async () => {
    asked++;
    if (asked === 1) throw new Error("away");
    return asked;
  }, -1);
  await expect(answer("a")).rejects.toThrow("away");
  expect(await answer("a")).toBe(2);
  expect(await answer("a")).toBe(3);
});

test("keeps no more than ten thousand answers", async () => {
  const asked: string[] = [];
  const answer = rememberedBy(async (key) => asked.push(key), 60_000);
  for (let i = 0; i <= 10_000; i++) await answer(`${i}`);
  const before = asked.length;
  await answer("0");
  await answer("10000");
  expect(asked.length).toBe(before + 1);
});
