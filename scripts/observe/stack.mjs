// What docker-compose.yml starts, as processes of this machine: the same commands and variables, other addresses and folders.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../../", import.meta.url));
const PORTS = ["7800", "8080", "9464", "9465", "9090"];

/**
 * The services that run cardbatch, as compose gives them.
 * @returns {{name: string, args: string[], env: Record<string, string>}[]}
 */
export function readStack() {
  const { services } = parse(readFileSync(`${root}docker-compose.yml`, "utf8"), { merge: true });
  const demo = parseEnv(readFileSync(`${root}grafana/demo.env`, "utf8"));
  return Object.entries(services)
    .filter(([, service]) => service.build !== undefined)
    .map(([name, { command, environment = {} }]) => ({ name, args: command, env: { ...demo, ...environment } }));
}

/**
 * How names of compose's network and paths of its containers read on this machine, longest first.
 * @param {{folder: string, samples: string, offset: number}} place `offset` is added to every port
 */
export function placeHere({ folder, samples, offset }) {
  const hosts = ["emulator", "worker", "backfill", "serve", "prometheus"];
  const ports = PORTS.map((port) => [port, String(Number(port) + offset)]);
  const addresses = hosts.flatMap((host) => ports.map(([port, here]) => [`${host}:${port}`, `127.0.0.1:${here}`]));
  const paths = [
    ["/mnt/scans", samples],
    ["/staging", `${folder}/staging`],
    ["/tmp/out", `${folder}/out`],
  ];
  return (text) => {
    const whole = ports.find(([port]) => port === text);
    if (whole !== undefined) return whole[1];
    return [...addresses, ["0.0.0.0", "127.0.0.1"], ...paths].reduce(
      (all, [from, to]) => all.replaceAll(from, to),
      text,
    );
  };
}

/** Redis is the private one, or that of REDIS_URL; everything else is as compose has it. */
export function stackHere(place) {
  const here = placeHere(place);
  return readStack().map(({ name, args, env: { REDIS_URL: _, ...env } }) => ({
    name,
    args: args.map(here),
    env: Object.fromEntries(Object.entries(env).map(([variable, value]) => [variable, here(value)])),
  }));
}

/** The configuration of Prometheus: names become addresses, and rules are found where they lie. */
export function prometheusHere({ offset }) {
  const config = parse(readFileSync(`${root}grafana/prometheus.yml`, "utf8"));
  for (const job of config.scrape_configs) {
    job.static_configs = [{ targets: job.dns_sd_configs.map(({ port }) => `127.0.0.1:${port + offset}`) }];
    delete job.dns_sd_configs;
  }
  return { ...config, rule_files: config.rule_files.map((file) => `${root}grafana/${file}`) };
}

function parseEnv(text) {
  const lines = text.split("\n").filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}
