import fc from "fast-check";
import { expect, test } from "vitest";
import { OUTCOMES } from "../../src/domain/reading.js";
import { imageField, Keys } from "../../src/queue/keys.js";
import { imagePart, isDone, NEW_MARK, outcomeLetter } from "../../src/queue/mark.js";
import { imageKeyOf, requestOf } from "../helpers/image-keys.js";

const keys = new Keys("{k}");

test("marks are spread evenly over hashes that together are all there are", () => {
  const all = new Set(keys.marks("b"));
  const used = new Map<string, number>();
  const unknown: string[] = [];
  for (let i = 0; i < 40_000; i++) {
    const request = keys.requests("b", requestOf("b", i));
    used.set(request, (used.get(request) ?? 0) + 1);
    for (const key of [request, keys.images("b", imageField(imageKeyOf(i), i % 3))]) {
      if (!all.has(key)) unknown.push(key);
    }
  }
  expect(unknown).toEqual([]);
  expect(all.size).toBe(3 * 4096);
  expect(used.size).toBeGreaterThan(4000);
  expect(Math.max(...used.values())).toBeLessThan(40);
});

test("an image has a field a page, and all its pages one hash", () => {
  const image = imageKeyOf(1);
  const fields = [0, 1, 2].map((page) => imageField(image, page));
  expect(new Set(fields).size).toBe(3);
  expect(new Set(fields.map((field) => keys.images("b", field))).size).toBe(1);
});

test("accounts are kept apart and not named", () => {
  const [one, two] = [keys.pace("huawei", "project-1"), keys.pace("huawei", "project-2")];
  expect(one).not.toBe(two);
  expect(one).not.toContain("project");
});

test("a mark has one letter an outcome", () => {
  expect(new Set(OUTCOMES.map(outcomeLetter)).size).toBe(OUTCOMES.length);
  for (const outcome of OUTCOMES) expect(outcomeLetter(outcome)).toMatch(/^[a-z]$/);
});

test("a request is done for one image and one generation", () => {
  const generations = fc.constantFrom(..."0123456789ABCxyz");
  const images = fc.option(fc.nat(3).map(imageKeyOf), { nil: null });
  fc.assert(
    fc.property(generations, images, generations, images, (published, image, generation, key) => {
      const mark = `a${published}${published}${imagePart(image)}`;
      expect(mark).toHaveLength(NEW_MARK.length);
      expect(isDone(mark, generation, key)).toBe(published === generation && image === key);
      expect(isDone(NEW_MARK, generation, key)).toBe(false);
    }),
  );
});
