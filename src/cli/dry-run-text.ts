import type { DryRun } from "../app/dry-run.js";
import type { ProviderName } from "../domain/answer.js";
import { BILLING } from "../domain/money.js";
import { count, duration, money, plural } from "./format.js";

/** What a run would do, for a person. @param providers all that would be asked, in their order */
export function dryRunText(result: DryRun, providers: readonly ProviderName[]): string {
  const { batch, pages, files, ignored, unreadable } = result;
  const others = [
    ignored > 0 ? `${plural(ignored, "other file")} ignored` : "",
    unreadable > 0 ? `${count(unreadable)} cannot be read` : "",
  ].filter((text) => text !== "");
  const rows: [string, string][] = [
    ["batch", `${batch}  (dry run: nothing was sent or written)`],
    ["pages", `${count(pages)} in ${plural(files, "file")}${others.length > 0 ? `  (${others.join(", ")})` : ""}`],
    ["known", known(result)],
    ["calls", calls(result)],
    ...cost(result),
    ...providers.slice(1).map((name): [string, string] => ["then", `${name}, about the pages left in doubt`]),
  ];
  return rows.map(([label, text]) => `  ${label.padEnd(6)} ${text}`).join("\n");
}

function known({ done, answered, duplicates, exact }: DryRun): string {
  const about = exact ? "" : "about ";
  return [
    `${about}${plural(duplicates, "duplicate")}`,
    `${about}${count(done)} with an outcome`,
    `${about}${count(answered)} answered before`,
  ].join(", ");
}

function calls({ calls: wanted, provider, hours, callsLeft, exact }: DryRun): string {
  const time = hours === null ? "" : `, ${duration(hours * 3600_000)} at the allowed rate`;
  const left = callsLeft === null ? "" : `; ${count(callsLeft)} are left in --max-calls`;
  return `${exact ? "" : "about "}${count(wanted)} to ${provider}${time}${left}`;
}

/** A free provider has none. */
function cost({ cost: amount, price, provider, budgetLeft }: DryRun): [string, string][] {
  if (BILLING[provider] === "free") return [];
  const left = budgetLeft === null ? "" : `; ${money(budgetLeft)} is left in --budget`;
  if (price === 0) return [["cost", `unknown: set CARDBATCH_${provider.toUpperCase()}_PRICE${left}`]];
  const assumed = BILLING[provider] === "assumed" ? " (assumed: the vendor does not say what it bills)" : "";
  return [["cost", `${money(amount)} at ${money(price)} a call${assumed}${left}`]];
}
