import { describe, expect, test } from "vitest";
import type { Ending } from "../../src/app/watch-run.js";
import { type SummaryText, summaryText } from "../../src/cli/summary-text.js";
import { createPaint } from "../../src/cli/terminal.js";
import { ProviderError } from "../../src/domain/errors.js";
import type { Accuracy } from "../../src/results/accuracy.js";
import type { Summary } from "../../src/results/summary.js";
import { cardNumber } from "../helpers/card-numbers.js";

const summary: Summary = {
  schema: 1,
  batch: "b-0123456789ab",
  found: 60,
  accepted: 60,
  review: 0,
  rejected: 0,
  failed: 0,
  duplicate: 0,
  pending: 0,
  complete: true,
  calls: 60,
  billableCalls: 0,
  uncertainCalls: 0,
  seconds: 12.3,
  providers: { local: { calls: 60, billableCalls: 0, uncertainCalls: 0, cost: 0, billing: "free" } },
  cost: 0,
  uncertainCost: 0,
  maxCalls: null,
  budget: null,
  ignored: 0,
  failures: {},
  thisRun: { calls: 60, billableCalls: 0, uncertainCalls: 0 },
  keyring: "/home/u/keyring.json",
  finishedAt: "2026-11-22T08:00:00.000Z",
};
const accuracy: Accuracy = {
  pages: 58,
  number: { labelled: 58, right: 57 },
  issueDate: { labelled: 0, right: 0 },
  expiryDate: { labelled: 40, right: 39 },
  bank: { labelled: 30, right: 30 },
  type: { labelled: 0, right: 0 },
  accepted: 50,
  wrongAccepts: 0,
  failed: 1,
  missing: 0,
};

type More = Partial<Omit<SummaryText, "summary">> & { readonly summary?: Partial<Summary> };

function text({ summary: changed, ...more }: More = {}, color = false): string {
  const input: SummaryText = {
    accuracy: null,
    truth: null,
    sources: ["scans"],
    folder: "out",
    ending: { kind: "complete" },
    ...more,
    summary: { ...summary, ...changed },
  };
  return summaryText(input, createPaint(color));
}

describe("the summary", () => {
  test("of a run without anything to say", () => {
    expect(text()).toMatchInlineSnapshot(`
      "
        sources   scans
        batch     b-0123456789ab
        pages     60 found: 60 accepted
        calls     local 60 (free)
        time      12 s, 4.9 calls/s
        results   out/results.ndjson
        failures  out/failures.ndjson
        report    out/report.html
        keyring   /home/u/keyring.json
                  back it up: without it no number can be read again
      "
    `);
  });

  test("of a run with everything", () => {
    const changed: Partial<Summary> = {
      found: 12_345,
      accepted: 12_000,
      review: 200,
      rejected: 40,
      failed: 4,
      duplicate: 1,
      pending: 100,
      complete: false,
      calls: 13_000,
      seconds: 3725,
      ignored: 1,
      providers: {
        huawei: { calls: 12_000, billableCalls: 11_900, uncertainCalls: 7, cost: 595, billing: "stated" },
        shiliuai: { calls: 1000, billableCalls: 1000, uncertainCalls: 0, cost: 30, billing: "assumed" },
      },
      cost: 625,
      uncertainCost: 0.35,
      maxCalls: 13_000,
      budget: 700,
      failures: { "image-corrupt": 1, "provider-timeout": 3 },
      thisRun: { calls: 3000, billableCalls: 2900, uncertainCalls: 7 },
    };
    const shown = text({
      summary: changed,
      accuracy: { ...accuracy, wrongAccepts: 2, missing: 1 },
      truth: "truth.csv",
      ending: { kind: "interrupted" },
    });
    expect(shown).toMatchInlineSnapshot(`
      "
        sources   scans
        batch     b-0123456789ab  not complete
        pages     12,345 found: 12,000 accepted, 200 review, 40 rejected, 1 duplicate, 4 failed, 100 not done  (1 other file ignored)
        calls     huawei 12,000 (11,900 billable, 7 uncertain), shiliuai 1,000 (1,000 billable) (assumed: the vendor does not say what it bills); 3,000 of them in this run
        cost      625.00 and up to 0.35 for uncertain calls (assumed); budget 700.00; at most 13,000 billable calls
        time      1 h 2 min, 0.8 calls/s
        failed    3 × provider-timeout: the vendor did not answer in time; raise the provider's _TIMEOUT_MS if it is always so
                  1 × image-corrupt: the file is damaged or cut short; copy or scan it again
        accuracy  57 of 58 (98.3 %) numbers exact, 2 wrong among 50 accepted, duplicates with them; 1 labelled page not among the results
                  expiry date 39 of 40 (97.5 %), bank 30 of 30 (100.0 %), against truth.csv
        results   out/results.ndjson
        failures  out/failures.ndjson
        report    out/report.html
        keyring   /home/u/keyring.json
                  back it up: without it no number can be read again

        Stopped on request. Run the same command again to go on.
      "
    `);
  });

  test.each<[string, Ending, string]>([
    ["complete", { kind: "complete" }, ""],
    ["interrupted", { kind: "interrupted" }, "Stopped on request. Run the same command again to go on."],
    [
      "stopped by its budget",
      { kind: "budget-spent" },
      "Run the same command again with a higher --max-calls or --budget to go on.",
    ],
    ["lost", { kind: "lost" }, "Some pages have neither an outcome nor a job. Run the same command again."],
    [
      "stopped by a provider",
      { kind: "provider-stopped", error: new ProviderError("provider-credentials", "huawei refused the token") },
      "huawei refused the token: correct the credentials.",
    ],
    [
      "without a provider that answers",
      { kind: "provider-unavailable", error: new ProviderError("provider-timeout", "no call has worked") },
      "no call has worked: the vendor did not answer in time",
    ],
  ])("says of a run that was %s what to do", (_, ending, expected) => {
    expect(text({ ending })).toContain(expected);
    expect(text({ ending }).includes("command again")).toBe(ending.kind !== "complete");
  });

  test("with labels of numbers alone has no other figures", () => {
    const nothing = { labelled: 0, right: 0 };
    const shown = text({ accuracy: { ...accuracy, expiryDate: nothing, bank: nothing }, truth: "t.csv" });
    expect(shown).toContain("57 of 58 (98.3 %) numbers exact, none wrong among 50 accepted\n");
    expect(shown).toContain("  against t.csv\n");
  });

  test("of sources that the shell spelled out names a few", () => {
    const sources = Array.from({ length: 2000 }, (_, i) => `${i}.jpg`);
    expect(text({ sources })).toContain("sources   0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg and 1,995 more\n");
  });

  test("holds no card number, whatever files are called", () => {
    const number = cardNumber();
    const shown = text({ sources: [`${number}.jpg`], accuracy, truth: `/t/${number}.csv` });
    expect(shown).not.toContain(number);
    expect(shown).toContain("622588******");
  });

  test("is painted in colour only", () => {
    expect(text({}, false)).not.toContain("\u001b");
    expect(text({}, true)).toContain("\u001b[32m60 accepted\u001b[0m");
  });
});
