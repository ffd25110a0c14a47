import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

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
