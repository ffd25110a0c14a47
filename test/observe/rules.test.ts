import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { findPrometheus } from "../../scripts/observe/find-prometheus.mjs";
import { createMetrics } from "../../src/telemetry/metrics.js";
import { metricsIn, ruleFile } from "./queries.js";

interface AlertCase {
  readonly name: string;
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const rulesFolder = `${root}grafana/rules/`;
const alerts = ruleFile("alerts.yml").filter(({ alert }) => alert !== undefined);
const { tests } = parse(readFileSync(`${rulesFolder}alerts.test.yml`, "utf8")) as { tests: readonly AlertCase[] };
const found = await findPrometheus();

it.each(alerts.map(({ alert = "" }) => alert))("%s has a runbook, a case that fires and one that is quiet", (alert) => {
  const runbook = readFileSync(`${root}docs/runbooks/${alert}.md`, "utf8");
  for (const part of [`# ${alert}`, "## Look at", "## Do"]) expect(runbook).toContain(part);
  const its = tests.flatMap(({ alert_rule_test }) => alert_rule_test.filter(({ alertname }) => alertname === alert));
  expect(its.map(({ exp_alerts }) => exp_alerts.length).sort()).toEqual([0, 1]);
});

it("there is no runbook without its alert, and each is listed", () => {
  const pages = readdirSync(`${root}docs/runbooks`).filter((name) => name !== "README.md");
  expect(pages.sort()).toEqual(alerts.map(({ alert }) => `${alert}.md`).sort());
  const list = readFileSync(`${root}docs/runbooks/README.md`, "utf8");
  for (const page of pages) expect(list).toContain(`(${page})`);
  for (const [, page = ""] of list.matchAll(/\]\((\w+\.md)\)/g))
    expect(existsSync(`${root}docs/runbooks/${page}`)).toBe(true);
});

it("rules ask for metrics that there are", async () => {
  const text = await createMetrics("1.2.3").text();
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const recorded = new Set(ruleFile("recording.yml").map(({ record }) => record));
  const asked = [...ruleFile("recording.yml"), ...alerts].flatMap(({ expr }) => metricsIn(expr));
  expect(asked.filter((name) => !known.has(name) && !recorded.has(name))).toEqual([]);
});

describe.skipIf(found === null)(`promtool${found === null ? " (no Prometheus here: install prometheus)" : ""}`, () => {
  const promtool = (args: readonly string[], input?: string) =>
    spawnSync(found?.promtool ?? "", [...args], {
      cwd: rulesFolder,
      encoding: "utf8",
      ...(input === undefined ? {} : { input }),
    });

  it("takes the rules, and every alert fires when it should and not otherwise", { timeout: 300_000 }, () => {
    const checked = promtool(["check", "rules", "recording.yml", "alerts.yml"]);
    expect(checked.status, checked.stderr).toBe(0);
    const tested = promtool(["test", "rules", "alerts.test.yml"]);
    expect(tested.status, tested.stdout + tested.stderr).toBe(0);
  });

  it("takes the metrics", { timeout: 300_000 }, async () => {
    const { status, stdout, stderr } = promtool(["check", "metrics"], await createMetrics("1.2.3").text());
    expect(status, stdout + stderr).toBe(0);
  });
});
