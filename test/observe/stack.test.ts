import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, it } from "vitest";
import { parse } from "yaml";
import { findPrometheus } from "../../scripts/observe/find-prometheus.mjs";
import { placeHere, prometheusHere, readStack, stackHere } from "../../scripts/observe/stack.mjs";
import { createMetrics } from "../../src/telemetry/metrics.js";
import { IS_LONG } from "../helpers/cli.js";
import { dashboardQueries, metricsIn, ruleFile } from "./queries.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PLACE = { folder: "/here", samples: "/here/scans", offset: 10_000 };

it("compose and demo:observe start the same commands with the same variables", () => {
  const compose = parse(readFileSync(`${root}docker-compose.yml`, "utf8"), { merge: true }).services;
  const own = Object.keys(compose).filter((name) => compose[name].build !== undefined);
  expect(own).toEqual(["emulator", "worker", "backfill", "serve"]);
  const here = stackHere(PLACE);
  expect(here.map(({ name }) => name)).toEqual(own);
  const place = placeHere(PLACE);
  for (const [i, { name, args, env }] of readStack().entries()) {
    expect(args).toEqual(compose[name].command);
    expect(here[i]?.args).toEqual(args.map(place));
    // Redis is the private one there.
    const { REDIS_URL: _, ...others } = env;
    expect(here[i]?.env).toEqual(Object.fromEntries(Object.entries(others).map(([key, value]) => [key, place(value)])));
  }
  expect(JSON.stringify(here)).not.toMatch(/0\.0\.0\.0|emulator:|\/mnt\/|:7800|"9464"/);
});

it("Prometheus scrapes what is started, there and here", () => {
  const { scrape_configs: jobs } = prometheusHere(PLACE) as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const targets = jobs.flatMap(({ static_configs }) => static_configs.flatMap((each) => each.targets));
  const ports = stackHere(PLACE).flatMap(({ args, env }) => [
    env.CARDBATCH_METRICS_PORT,
    args[args.indexOf("--port") + 1],
  ]);
  for (const target of targets) expect(ports).toContain(target.split(":")[1]);
});

it("dashboards ask for metrics that there are", async () => {
  const text = await createMetrics("1.2.3").text();
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const recorded = new Set(ruleFile("recording.yml").map(({ record }) => record));
  const asked = dashboardQueries().flatMap(({ expr }) => metricsIn(expr));
  expect(asked.length).toBeGreaterThan(40);
  expect(asked.filter((name) => !known.has(name) && !recorded.has(name))).toEqual([]);
});

const found = IS_LONG ? await findPrometheus() : null;
const LEFT_OUT = IS_LONG ? " (no Prometheus here: install prometheus)" : " (long form)";

describe.skipIf(found === null)(`demo:observe${found === null ? LEFT_OUT : ""}`, () => {
  it("every query of every dashboard returns data", { timeout: 600_000 }, async () => {
    const demo = spawn(process.execPath, [`${root}scripts/observe/demo.mjs`, "--port-offset", "20000"], {
      env: { ...process.env, REDIS_URL: inject("redisUrl") },
      stdio: "ignore",
    });
    try {
      await fetch("http://127.0.0.1:28080/v1/nothing").catch(() => {});
      let empty = dashboardQueries();
      for (const untilMs = Date.now() + 420_000; empty.length > 0 && Date.now() < untilMs; ) {
        await sleep(5000);
        await fetch("http://127.0.0.1:28080/v1/nothing").catch(() => {});
        const answers = await Promise.all(empty.map(({ expr }) => hasData(expr)));
        empty = empty.filter((_, i) => answers[i] !== true);
      }
      expect(empty).toEqual([]);
    } finally {
      await end(demo);
    }
  });
});

async function hasData(expr: string): Promise<boolean> {
  const url = `http://127.0.0.1:29090/api/v1/query?query=${encodeURIComponent(expr)}`;
  const response = await fetch(url).catch(() => null);
  if (response === null || !response.ok) return false;
  const { data } = (await response.json()) as { data: { result: unknown[] } };
  return data.result.length > 0;
}

async function end(demo: ChildProcess): Promise<void> {
  const ended = once(demo, "exit");
  demo.kill("SIGTERM");
  await ended;
}
