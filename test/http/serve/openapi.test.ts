import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { PROBLEMS } from "../../../src/domain/problem.js";
import { startService, type TestService } from "./service.js";

type Json = { readonly [key: string]: Json } & { readonly $ref?: string };

/** Of routes that differ in nothing else. */
const VERB = /\$\{verb\}/;

let service: TestService;
let document: Json;
beforeAll(async () => {
  service = await startService();
  document = (await (await fetch(`${service.url}/openapi.json`)).json()) as Json;
});

describe("/openapi.json", () => {
  test("is OpenAPI 3.1, and every reference in it leads somewhere", () => {
    expect(document.openapi).toBe("3.1.0");
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, to]) => to ?? "");
    expect(references.length).toBeGreaterThan(50);
    for (const reference of new Set(references)) {
      const found = reference
        .slice(2)
        .split("/")
        .reduce<Json | undefined>((at, step) => at?.[step], document);
      expect(found, reference).toBeDefined();
    }
  });

  test("tells of every route that there is, and of no other", async () => {
    const told = Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const source = ["image", "request", "batch", "webhook", "ops"]
      .map((name) => readFileSync(new URL(`../../../src/http/serve/${name}-routes.ts`, import.meta.url), "utf8"))
      .join("");
    const served = [...source.matchAll(/server\s*\.(get|post)\(\s*["`]([^"`]+)/g)].map(
      ([, method = "", path = ""]) => `${method.toUpperCase()} ${path.replace(/:(\w+)/g, "{$1}")}`,
    );
    const verbs = ["pause", "resume", "cancel"];
    const spread = served.flatMap((route) =>
      VERB.test(route) ? verbs.map((verb) => route.replace(VERB, verb)) : [route],
    );
    expect(spread.sort()).toEqual(told.sort());
  });

  test("tells of each problem's code somewhere", () => {
    const text = JSON.stringify(document.paths);
    const before = ["malformed-http", "method-not-allowed", "timeout", "headers-too-large", "internal"];
    for (const code of Object.keys(PROBLEMS)) if (!before.includes(code)) expect(text).toContain(`\`${code}\``);
  });
});

test("/docs is one page that loads nothing", async () => {
  const response = await fetch(`${service.url}/docs`);
  const page = await response.text();
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(page).not.toMatch(/<script|src=|@import|https?:\/\//);
  expect(page).toContain("/v1/images");
});
