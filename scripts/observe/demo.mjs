// `npm run demo:observe`: what `docker compose up` starts, without docker, until Ctrl-C. `--port-offset n` moves every port.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { findPrometheus } from "./find-prometheus.mjs";
import { prometheusHere, stackHere } from "./stack.mjs";

/** What ends is begun again after this, as compose does it. */
const AGAIN_MS = 1000;

const { values } = parseArgs({ options: { "port-offset": { type: "string", default: "0" } } });
const offset = Number(values["port-offset"]);
const root = fileURLToPath(new URL("../../", import.meta.url));
const entry = join(root, "dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "cardbatch-observe-"));
const samples = join(root, "samples");
const own = { PATH: process.env.PATH, HOME: join(folder, "home"), CARDBATCH_LOG_LEVEL: "warn" };
const redis = process.env.REDIS_URL === undefined ? {} : { REDIS_URL: process.env.REDIS_URL };
const base = { ...own, ...redis, CARDBATCH_PREFIX: `{observe-${process.pid}}` };
const running = new Set();
let isEnding = false;

for (const name of ["home", "staging", "prometheus"]) mkdirSync(join(folder, name));
process.on("SIGINT", end).on("SIGTERM", end);

// The keyring is there before anybody needs it.
spawnSync(process.execPath, [entry, "keys", "init"], { env: base, stdio: ["ignore", "ignore", "inherit"] });
for (const { name, args, env } of stackHere({ folder, samples, offset })) {
  keep(name, process.execPath, [entry, ...args], { ...base, ...env });
}
await startPrometheus();

async function startPrometheus() {
  const found = await findPrometheus();
  if (found === null)
    return void console.error("demo: Prometheus is not here and cannot be brought; going on without it");
  const config = join(folder, "prometheus.yml");
  writeFileSync(config, stringify(prometheusHere({ offset })));
  const address = `127.0.0.1:${9090 + offset}`;
  const flags = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, "prometheus")}`, "--log.level=warn"];
  keep("prometheus", found.prometheus, [...flags, `--web.listen-address=${address}`], base);
  console.error(`demo: Prometheus at http://${address}; Grafana takes grafana/provisioning and grafana/dashboards`);
}

/** Starts a program, tells its lines with its name, and starts it again when it ends. */
function keep(name, program, args, env) {
  const child = spawn(program, args, { env, cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      for (const line of text.split("\n")) if (line !== "") console.error(`${name.padEnd(10)} ${line}`);
    });
  }
  child.on("error", (error) => console.error(`${name}: ${error.message}`));
  child.on("close", () => {
    running.delete(child);
    if (!isEnding) setTimeout(() => !isEnding && keep(name, program, args, env), AGAIN_MS);
    else if (running.size === 0) rmSync(folder, { recursive: true, force: true });
  });
}

function end() {
  isEnding = true;
  for (const child of running) child.kill("SIGTERM");
}
