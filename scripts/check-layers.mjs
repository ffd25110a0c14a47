// The shape of src/ as a test: stages meet in domain/ and are joined in app.ts and app/; what is dangerous stays in its folder.
// Prints one line a breach and exits 1 when there is any.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const src = fileURLToPath(new URL("../src", import.meta.url));
const STAGES = [
  "intake",
  "queue",
  "recognition",
  "image",
  "dispatch",
  "providers",
  "verify",
  "engine",
  "vault",
  "results",
  "staging",
  "webhooks",
  "schedule",
  "postgres",
  "s3",
  "telemetry",
  "config",
  "bootstrap",
  "client",
];
const FACES = ["cli", "http"];

/** Folders (or files) that alone may use a package or a word. */
const RESERVED = [
  // The library that other services load has nothing of queue/, so that it has nothing of the application.
  {
    pattern: /from "(bullmq|ioredis)"|import\("(bullmq|ioredis)"\)/,
    what: "bullmq or ioredis",
    allowed: ["queue/", "client/"],
  },
  { pattern: /from "sharp"|import\("sharp"\)/, what: "sharp", allowed: ["image/", "engine/"] },
  { pattern: /from "onnxruntime|import\("onnxruntime/, what: "onnxruntime", allowed: ["engine/"] },
  // The engine reads no setting there: it switches a native library's telemetry off.
  { pattern: /process\.env\b/, what: "process.env", allowed: ["config/", "engine/runtime.ts"] },
  { pattern: /\breveal(Raw)?Pan\b/, what: "revealPan", allowed: ["vault/", "domain/pan.ts"] },
  { pattern: /from "aws4fetch"/, what: "aws4fetch", allowed: ["s3/"] },
  { pattern: /from "pg"/, what: "pg", allowed: ["postgres/"] },
  { pattern: /from "jose"/, what: "jose", allowed: ["vault/"] },
  { pattern: /from "croner"/, what: "croner", allowed: ["schedule/"] },
  { pattern: /from "prom-client"/, what: "prom-client", allowed: ["telemetry/"] },
];

const files = readdirSync(src, { recursive: true })
  .map((name) => String(name).split(sep).join("/"))
  .filter((name) => name.endsWith(".ts"));
const breaches = [];
const graph = new Map();

for (const file of files) {
  const text = readFileSync(join(src, file), "utf8");
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  for (const { pattern, what, allowed } of RESERVED) {
    if (pattern.test(code) && !allowed.some((prefix) => file.startsWith(prefix))) {
      breaches.push(`${file}: uses ${what}, which belongs to ${allowed.join(", ")}`);
    }
  }
  const edges = [];
  for (const [statement, , target] of code.matchAll(/(import|export)[^;"']*?from "(\.[^"]+)"/g)) {
    const resolved = relative(src, normalize(join(src, dirname(file), target)))
      .split(sep)
      .join("/")
      .replace(/\.js$/, ".ts");
    if (!/^\s*(import|export) type\b/.test(statement)) edges.push(resolved);
    const reason = refuse(file, resolved);
    if (reason !== null) breaches.push(`${file}: imports ${resolved}; ${reason}`);
  }
  graph.set(file, edges);
}

for (const cycle of cycles()) breaches.push(`import cycle: ${cycle.join(" → ")}`);
for (const breach of breaches) console.error(breach);
console.log(`layers: ${files.length} files, ${breaches.length} breaches`);
process.exit(breaches.length === 0 ? 0 : 1);

function refuse(file, target) {
  const from = file.split("/")[0];
  const to = target.split("/")[0];
  if (from === to || to === "domain") return null;
  if (from === "domain") return "domain imports nothing of src";
  if (file === "app.ts" || from === "app" || FACES.includes(from)) return null;
  if (STAGES.includes(from) && FACES.includes(to)) return "a stage knows no face";
  return STAGES.includes(from) ? "stages import only domain; join them in app.ts" : null;
}

function cycles() {
  const found = [];
  const done = new Set();
  const visit = (file, path) => {
    const at = path.indexOf(file);
    if (at >= 0) return void found.push([...path.slice(at), file]);
    if (done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}
