import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { jsonSchemas } from "../../src/domain/json-schemas.js";
import { imageJobSchema } from "../../src/domain/payload.js";
import { recordSchema } from "../../src/domain/record.js";
import { recordCardOf } from "../helpers/record-card.js";
import { recordOf } from "../helpers/records.js";

const FOLDER = fileURLToPath(new URL("../../schemas/v1/", import.meta.url));

test("the files under schemas/v1 are those of the code: else npm run build && node scripts/build-schemas.mjs", () => {
  const files = readdirSync(FOLDER).map((name) => [name, JSON.parse(readFileSync(FOLDER + name, "utf8")) as unknown]);
  expect(Object.fromEntries(files)).toEqual(jsonSchemas());
});

describe("another language's validator says what the application says", () => {
  const ajv = new Ajv2020({ strictTypes: false, formats: { uri: true, "date-time": true } });
  const validate = (name: string) => ajv.compile(jsonSchemas()[`${name}.json`] as object);
  const isJob = validate("image-job");
  const isOutcome = validate("outcome");
  const job = { schema: 1, image: { root: "archive", path: "a.jpg" }, batch: "b" };
  const record = recordOf("b", 1, "review", { cards: [recordCardOf()], reasons: ["luhn"] });

  test.each([
    job,
    { ...job, ref: null, destination: "客户", priority: "interactive" },
    { ...job, image: { path: "/a.jpg", page: 2, key: `sha256:${"0".repeat(64)}` } },
    { ...job, more: "of a later release" },
    { ...job, schema: 2 },
    { ...job, image: { root: "archive" } },
    { ...job, image: { path: "/a.jpg", data: "AAAA" } },
    { ...job, batch: "a:b" },
    { ...job, ref: "r".repeat(129) },
    {},
  ])("of the job %j", (data) => {
    expect(isJob(data)).toBe(imageJobSchema.safeParse(data).success);
  });

  test.each([
    record,
    { ...record, outcome: "failed", code: "a-later-code", message: "…" },
    { ...record, later: true },
    { ...record, schema: 2 },
    { ...record, outcome: "done" },
    { ...record, cards: [{ ...recordCardOf(), expiryDate: "12/20" }] },
    { ...record, cards: [{ ...recordCardOf(), keypoints: { number: [{ x: 1, y: 2 }] } }] },
    { ...record, calls: -1 },
    {},
  ])("of the outcome %#", (data) => {
    expect(isOutcome(data)).toBe(recordSchema.safeParse(data).success);
  });
});
