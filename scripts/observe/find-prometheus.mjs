// Where Prometheus and promtool are: on PATH, in the cache, or brought there from Debian's package without root.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const CACHE = fileURLToPath(new URL("../../.cache/prometheus", import.meta.url));
const TIMEOUT_MS = 120_000;

/** @returns {{prometheus: string, promtool: string} | null} null: it is not here and cannot be brought */
export function findPrometheus() {
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(CACHE, "usr/bin")];
  return findIn(folders) ?? (download() ? findIn(folders) : null);
}

function findIn(folders) {
  for (const folder of folders) {
    const [prometheus, promtool] = ["prometheus", "promtool"].map((name) => join(folder, name));
    if (existsSync(prometheus) && existsSync(promtool)) return { prometheus, promtool };
  }
  return null;
}

function download() {
  const folder = join(CACHE, "download");
  mkdirSync(folder, { recursive: true });
  const options = { cwd: folder, timeout: TIMEOUT_MS, stdio: "ignore" };
  try {
    execFileSync("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", "prometheus"], options);
    for (const deb of readdirSync(folder)) execFileSync("dpkg", ["-x", join(folder, deb), CACHE], options);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
