import { expect, test } from "vitest";
import { guardPreparing } from "../../src/queue/prepare-guard.js";
import { requestOf } from "../helpers/image-keys.js";
import { openTestRedis } from "../helpers/redis.js";

const { redis, keys } = openTestRedis();
const decoding = (name: string, decode: () => Promise<string>) =>
  guardPreparing(redis, keys, requestOf("b", name), decode);
const dying = () => new Promise<string>(() => {});
const begun = async (name: string) => Number((await redis.get(keys.preparing(requestOf("b", name)))) ?? 0);

test("an image that has killed three workers is decoded no more", async () => {
  for (let death = 1; death <= 3; death++) {
    void decoding("bad", dying);
    await expect.poll(() => begun("bad")).toBe(death);
  }
  let decoded = false;
  const again = decoding("bad", async () => {
    decoded = true;
    return "";
  });
  await expect(again).rejects.toMatchObject({ name: "ImageError", code: "worker-crashed" });
  expect(decoded).toBe(false);
});

test("one that fails without killing is not counted, nor one that comes through after two deaths", async () => {
  for (let i = 0; i < 5; i++) {
    await expect(decoding("broken", () => Promise.reject(new Error("cut short")))).rejects.toThrow("cut short");
  }
  for (let death = 1; death <= 2; death++) void decoding("slow", dying);
  await expect.poll(() => begun("slow")).toBe(2);
  expect(await decoding("slow", async () => "read")).toBe("read");
  expect(await begun("slow")).toBe(0);
});
