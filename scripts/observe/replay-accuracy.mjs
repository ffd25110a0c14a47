// `npm run replay:accuracy`: how soon a vendor that starts to misread raises an alert, by the golden images' own code and Prometheus' rules.
// 20 calls a second, 5 % golden, healthy at 0.5 % misread; then 10 % (an alert within 30 minutes), 3 % (within 3 hours), and a
// healthy week (none). Simulated time; needs promtool. Run `npm run build` before.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { createGoldenChecks } from "../../dist/recognition/golden.js";
import { createMetrics } from "../../dist/telemetry/metrics.js";
import { findPrometheus } from "./find-prometheus.mjs";

const CALLS_A_MINUTE = 20 * 60;
const SHARE = 0.05;
const HEALTHY = 0.005;
const CALLED = { type: "called", provider: "huawei", result: "ok", durationMs: 100, billable: true, uncertain: false };
const rules = fileURLToPath(new URL("../../grafana/rules/", import.meta.url));
const found = await findPrometheus();
if (found === null) {
  console.error("replay: no promtool here, and it cannot be brought");
  process.exit(1);
}

const CASES = [
  { name: "10 % misread", share: 0.1, healthyMin: 240, minutes: 30, mustFire: true, stepMin: 1 },
  { name: "3 % misread", share: 0.03, healthyMin: 240, minutes: 180, mustFire: true, stepMin: 1 },
  { name: "a healthy week", share: HEALTHY, healthyMin: 0, minutes: 7 * 24 * 60, mustFire: false, stepMin: 5 },
];
let failed = false;
for (const each of CASES) {
  const firedMin = await replay(each);
  const isRight = (firedMin !== null) === each.mustFire;
  failed ||= !isRight;
  const said = firedMin === null ? "no alert" : `alert after ${firedMin} simulated minutes`;
  console.log(`${isRight ? "ok  " : "FAIL"} ${each.name}: ${said} (of ${each.minutes})`);
}
process.exit(failed ? 1 : 0);

/** @returns when the first accuracy alert fires, in minutes since the vendor began to misread; null: never */
async function replay({ share, healthyMin, minutes, stepMin }) {
  const random = seeded(5);
  const metrics = createMetrics("replay");
  let misread = healthyMin > 0 ? HEALTHY : share;
  const checks = createGoldenChecks(
    { images: [{ path: "golden", page: 0, fingerprint: "right" }], share: SHARE },
    {
      call: async () => ({ answer: { isWrong: random() < misread }, cardsPerImage: "one" }),
      normalize: ({ isWrong }) => ({ provider: "huawei", cards: [{ number: isWrong ? "wrong" : "right" }] }),
      judge: () => ({ verdict: "accepted", reasons: [] }),
      fingerprint: (number) => number,
      emit: (event) => metrics.observe(event),
      random,
    },
  );
  const counted = { exact: [0], wrong: [0] };
  for (let minute = 1; minute <= healthyMin + minutes; minute++) {
    if (minute > healthyMin) misread = share;
    for (let call = 0; call < CALLS_A_MINUTE; call++) {
      checks.observe(CALLED);
      if (call % 10 === 0) await settled();
    }
    await settled();
    if (minute % stepMin !== 0) continue;
    const text = await metrics.text();
    for (const match of Object.keys(counted)) counted[match].push(countedBy(text, match));
  }
  return firstAlert(counted, { healthyMin, minutes, stepMin });
}

/** Asks promtool at each quarter of an hour, or finer, whether an alert is there; the first that is. */
function firstAlert(counted, { healthyMin, minutes, stepMin }) {
  const times = Array.from({ length: minutes / stepMin }, (_, i) => healthyMin + (i + 1) * stepMin);
  const names = ["CardbatchAccuracyLost", "CardbatchAccuracyDrifts"];
  const test = {
    interval: `${stepMin}m`,
    input_series: Object.entries(counted).map(([match, values]) => ({
      series: `cardbatch_groundtruth_cards_total{provider="huawei",match="${match}"}`,
      values: values.join(" "),
    })),
    // Nothing is expected at any time; what promtool finds instead is what was raised.
    alert_rule_test: times.flatMap((min) =>
      names.map((alertname) => ({ eval_time: `${min}m`, alertname, exp_alerts: [] })),
    ),
  };
  const folder = mkdtempSync(join(tmpdir(), "cardbatch-replay-"));
  try {
    const rule_files = ["recording.yml", "alerts.yml"].map((file) => join(rules, file));
    const file = join(folder, "replay.yml");
    writeFileSync(file, stringify({ rule_files, evaluation_interval: `${stepMin}m`, tests: [test] }));
    const { stdout, stderr, status } = spawnSync(found.promtool, ["test", "rules", file], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const fired = [...(stdout + stderr).matchAll(/alertname: \w+, time: (\S+),/g)].map(([, time]) => inMinutes(time));
    if (status !== 0 && fired.length === 0) throw new Error(`promtool: ${stderr}`);
    return fired.length === 0 ? null : Math.min(...fired) - healthyMin;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `1d2h3m` */
function inMinutes(text) {
  const units = { w: 10_080, d: 1440, h: 60, m: 1, s: 1 / 60 };
  return [...text.matchAll(/(\d+)([wdhms])/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit], 0);
}

function countedBy(text, match) {
  const line = text
    .split("\n")
    .find((each) => each.startsWith(`cardbatch_groundtruth_cards_total{provider="huawei",match="${match}"}`));
  return Number(line?.slice(line.lastIndexOf(" ")));
}

/** What golden checks do goes on in a few turns of the microtask queue. */
async function settled() {
  for (let turn = 0; turn < 8; turn++) await null;
}

/** mulberry32 */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
