import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { imageJobSchema, nameSchema, referenceText, refSchema, requestId } from "../../src/domain/payload.js";
import { cardNumber } from "../helpers/card-numbers.js";
import { imageKeyOf } from "../helpers/image-keys.js";

const JOB = { schema: 1, image: { path: "/scans/a.jpg" }, batch: "b1" };
const CARD = cardNumber();
const asItIs = (name: string) => name;

describe("a job on card-images", () => {
  test.each([
    ["a path", JOB],
    ["a root", { ...JOB, image: { root: "archive", path: "2019/a.jpg" } }],
    ["a url", { ...JOB, image: { url: "https://example.test/a.jpg" } }],
    ["an encrypted reference", { ...JOB, image: { sealed: "eyJ" } }],
    ["key and page", { ...JOB, image: { path: "/a", key: imageKeyOf(1), page: 3 } }],
    ["everything else", { ...JOB, ref: "my-id", priority: "interactive", destination: "crm" }],
    ["nulls for what is not there", { ...JOB, ref: null, destination: null }],
    ["fields of a later minor version", { ...JOB, colour: "red" }],
  ])("may have %s", (_, job) => {
    expect(imageJobSchema.safeParse(job).success).toBe(true);
  });

  test.each([
    ["another schema", { ...JOB, schema: 2 }],
    ["no image", { schema: 1, batch: "b1" }],
    ["an empty path", { ...JOB, image: { path: "" } }],
    ["a path without end", { ...JOB, image: { path: "/".padEnd(4097, "a") } }],
    ["two places at once", { ...JOB, image: { path: "/a", url: "https://example.test/a" } }],
    ["pixels", { ...JOB, image: { path: "/a", base64: "AAAA" } }],
    ["a key that is none", { ...JOB, image: { path: "/a", key: "sha256:abc" } }],
    ["half a page", { ...JOB, image: { path: "/a", page: 0.5 } }],
    ["a page before the first", { ...JOB, image: { path: "/a", page: -1 } }],
    ["a batch that BullMQ cannot name", { ...JOB, batch: "a:b" }],
    ["a card number for a batch", { ...JOB, batch: `b-${CARD}` }],
    ["a card number for a ref", { ...JOB, ref: CARD }],
    ["a card number for a destination", { ...JOB, destination: `d.${CARD}` }],
    ["a priority of its own", { ...JOB, priority: "urgent" }],
  ])("may not have %s", (_, job) => {
    expect(imageJobSchema.safeParse(job).success).toBe(false);
  });
});

test.each(["b1", "招商-2019", "a.b_c-d"])("the name %s", (name) => {
  expect(nameSchema.safeParse(name).success).toBe(true);
});

test.each(["", " ", "a b", "a/b", "a\n", "a".repeat(129), "{x}", "a\0"])("no name: %j", (name) => {
  expect(nameSchema.safeParse(name).success).toBe(false);
});

test("a ref of 128 characters, and not one more", () => {
  expect(refSchema.safeParse("x".repeat(128)).success).toBe(true);
  expect(refSchema.safeParse("x".repeat(129)).success).toBe(false);
});

describe("a request's id", () => {
  const parts = fc.tuple(fc.string(), fc.string(), fc.nat(), fc.option(fc.string()));

  test("is the same for the same wish, and another for any other", () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(requestId(...a)).toMatch(/^r_[A-Za-z0-9_-]{16}$/);
        expect(requestId(...a) === requestId(...b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
  });

  test("is made of a reference that no other form of reference can be mistaken for", () => {
    const texts = [
      referenceText({ path: "/archive:a.jpg" }, asItIs),
      referenceText({ root: "archive", path: "a.jpg" }, asItIs),
      referenceText({ url: "https://example.test/a.jpg" }, asItIs),
      referenceText({ path: "/a.jpg" }, asItIs),
    ];
    expect(new Set(texts).size).toBe(texts.length);
  });

  test("is made of a name that holds a card number only through a keyed digest", () => {
    const text = referenceText({ root: "archive", path: `2019/${CARD}.jpg` }, (name) => `digest of ${name.length}`);
    expect(text).toBe(`digest of ${`archive:2019/${CARD}.jpg`.length}`);
  });
});
