import { expect, test } from "vitest";
import { createPlaces } from "../../src/dispatch/places.js";

/** Calls that end when they are told to; `begun` has them in their order. */
function openCalls(count: number) {
  const places = createPlaces(count);
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const start = (name: string, isUrgent = false) =>
    places.run(isUrgent, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)));
      });
    });
  return { begun, start, end: (name: string, error?: Error) => ends.get(name)?.(error) };
}

test("no more calls are under way than there are places, and who is urgent is next", async () => {
  const { begun, start, end } = openCalls(2);
  const calls = [start("a"), start("b"), start("c"), start("d"), start("e", true)];
  expect(begun).toEqual(["a", "b"]);
  end("a");
  await calls[0];
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "e"]);
  end("b");
  end("e");
  await Promise.all([calls[1], calls[4]]);
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "e", "c", "d"]);
  end("c");
  end("d");
  expect(await Promise.all(calls)).toEqual(["a", "b", "c", "d", "e"]);
});

test("a call that fails leaves its place to the next", async () => {
  const { begun, start, end } = openCalls(1);
  const first = start("a");
  const second = start("b");
  end("a", new Error("broken"));
  await expect(first).rejects.toThrow("broken");
  await Promise.resolve();
  expect(begun).toEqual(["a", "b"]);
  end("b");
  expect(await second).toBe("b");
});
