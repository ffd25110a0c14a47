import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { z } from "zod";
import { configSchema } from "../../src/config/settings.js";

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), "utf8");
const english = read("README.md");
const chinese = read("README.zh-CN.md");

/** What a README holds in its order; text between these may be told in any words. */
function partsOf(text: string) {
  const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""]) =>
    [language, ...code.split("\n").map(withoutComment)].join("\n"),
  );
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "");
  const words = [...prose.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replace(/\s+/g, " ")).filter(isName);
  return {
    headings: [...prose.matchAll(/^(#+) /gm)].map(([, level = ""]) => level.length),
    blocks,
    rows: [...prose.matchAll(/^\|/gm)].length,
    links: [...prose.matchAll(/\]\(([^)]+)\)/g)]
      .map(([, to = ""]) => to)
      .filter((to) => !/^README/.test(to))
      .sort(),
    words: [...new Set(words)].sort(),
  };
}

/** Comments are in the reader's language. */
function withoutComment(line: string): string {
  return line.replace(/(\s|^)(#|\/\/) .*$/, "").trimEnd();
}

/** Options, settings, files, metrics and codes; no placeholder that is a word of a language. */
function isName(code: string): boolean {
  return !/[<"\u0080-\uffff]/.test(code);
}

test.each(["headings", "blocks", "rows", "links", "words"] as const)(
  "the README in Chinese has the %s of the one in English",
  (part) => {
    expect(partsOf(chinese)[part]).toEqual(partsOf(english)[part]);
  },
);

function variablesOf(schema: z.ZodObject): string[] {
  return Object.values<z.ZodType>(schema.shape).flatMap((part) =>
    "shape" in part ? variablesOf(part as z.ZodObject) : [String(part.meta()?.env)],
  );
}

/** Providers share most settings; the README names one of them. One of several that go together may be named by its end. */
function isNamed(variable: string): boolean {
  const [, vendor = "", end = ""] = /^CARDBATCH_([A-Z0-9]+)(_[A-Z_]+)$/.exec(variable) ?? [];
  const isShared = vendor === "SHILIUAI" || vendor === "LOCAL";
  const names = [variable, `\`${end}`, ...(isShared ? [`CARDBATCH_HUAWEI${end}`] : [])];
  return names.some((name) => english.includes(name));
}

test("every setting is in the README, but for the one for tests", () => {
  expect(variablesOf(configSchema).filter((variable) => !isNamed(variable))).toEqual(["CARDBATCH_KILL_AT"]);
});
