// Turns a checkout of the public list hexindai/bcbc (data/bin.csv, data/name.csv; MIT) into src/domain/iin-table.ts.
// Usage: node scripts/build-iin-table.mjs <folder with bin.csv and name.csv>
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv[2];
if (folder === undefined) {
  console.error("usage: node scripts/build-iin-table.mjs <folder with bin.csv and name.csv>");
  process.exit(2);
}
const rows = (file) =>
  readFileSync(join(folder, file), "utf8")
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(",").map((cell) => cell.trim()))
    .filter((cells) => cells[0] !== "");

// A bank that has changed its name since, and an entry whose name is not a bank's.
const renamed = { GDB: "广发银行" };
const unnamed = new Set(["CSC"]);
const types = { DC: "debit", CC: "credit", SCC: "semi-credit", PC: "prepaid" };

const names = new Map(rows("name.csv"));
const groups = new Map();
const used = new Set();
for (const [prefix, bank, type, length] of rows("bin.csv")) {
  // Three-digit prefixes claim whole schemes (303 is Diners Club); nothing shorter than four digits names an issuer.
  if (!/^\d{4,10}$/.test(prefix) || !(type in types) || !/^1\d$/.test(length) || unnamed.has(bank)) {
    console.error(`left out: ${prefix},${bank},${type},${length}`);
    continue;
  }
  used.add(bank);
  const key = `${bank} ${types[type]} ${length}`;
  groups.set(key, [...(groups.get(key) ?? []), prefix]);
}
for (const bank of used) if (!names.has(bank) && !(bank in renamed)) console.error(`no name: ${bank}`);

const list = [...groups]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([key, prefixes]) => `${key} ${prefixes.sort().join(" ")}`);
const bankNames = [...used].sort().map((bank) => `${bank} ${renamed[bank] ?? names.get(bank) ?? bank}`);
writeFileSync(
  new URL("../src/domain/iin-table.ts", import.meta.url),
  `// Made by scripts/build-iin-table.mjs from the public list hexindai/bcbc (data/bin.csv, data/name.csv),
// MIT licence; see THIRD-PARTY-NOTICES.md. Do not edit by hand.

/** A line an issuer, card type and number length: bank code, type, length, then its prefixes. */
export const ISSUER_PREFIXES = \`
${list.join("\n")}
\`;

/** A line a bank: code and Chinese name. */
export const BANK_NAMES = \`
${bankNames.join("\n")}
\`;
`,
);
