import { expect, test } from "vitest";
import { createClosers } from "../../src/app/closers.js";

function recording() {
  const closed: string[] = [];
  const closers = createClosers();
  const open = (name: string, error?: Error) =>
    closers.defer(async () => {
      closed.push(name);
      if (error !== undefined) throw error;
    });
  return { closed, open, close: closers.close };
}

test("closes last opened first, each once", async () => {
  const { closed, open, close } = recording();
  open("redis");
  const closeWorker = open("worker");
  open("golden");
  await Promise.all([closeWorker(), closeWorker()]);
  await close();
  await close();
  expect(closed).toEqual(["worker", "golden", "redis"]);
});

test("one that fails keeps none open, and is told at the end", async () => {
  const { closed, open, close } = recording();
  open("redis");
  open("worker", new Error("worker"));
  open("golden", new Error("golden"));
  await expect(close()).rejects.toThrow("golden");
  expect(closed).toEqual(["golden", "worker", "redis"]);
});

test("one that failed by hand was told then", async () => {
  const { closed, open, close } = recording();
  open("redis");
  await expect(open("worker", new Error("worker"))()).rejects.toThrow("worker");
  await close();
  expect(closed).toEqual(["worker", "redis"]);
});
