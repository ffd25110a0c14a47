import { expect, onTestFinished, test } from "vitest";
import { startMetricsServer } from "../../src/http/metrics-server.js";

/** @returns the address that was told */
async function start(metrics: () => Promise<string>): Promise<string> {
  const told: string[] = [];
  const config = { metricsPort: 0, metricsHost: "127.0.0.1" };
  await startMetricsServer(
    config,
    metrics,
    (close) => onTestFinished(close),
    (message) => told.push(message),
  );
  return told.join().replace(/^metrics: /, "");
}

test("answers what is measured, at its one address", async () => {
  const url = await start(async () => "up 1\n");
  expect(await (await fetch(url)).text()).toBe("up 1\n");
  expect((await fetch(`${url}/more`)).status).toBe(404);
});

test("metrics that cannot be told cost an answer, not the process", async () => {
  const url = await start(() => Promise.reject(new Error("no metrics")));
  expect((await fetch(url)).status).toBe(500);
});
