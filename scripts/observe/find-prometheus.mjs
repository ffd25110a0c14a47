// Where Prometheus and promtool are: on PATH, in the cache, or brought there from Debian's package without root.
import { join } from "node:path";
import { bring } from "../bring.mjs";

const PROMETHEUS = {
  name: "prometheus",
  programs: ["promtool"],
  folders: (root) => [join(root, "usr/bin")],
  packages: async () => ["prometheus"],
};

/** @returns {Promise<{prometheus: string, promtool: string} | null>} null: it is not here and cannot be brought */
export async function findPrometheus() {
  const found = await bring(PROMETHEUS);
  return found === null ? null : { prometheus: join(found.folder, "prometheus"), promtool: found.file };
}
