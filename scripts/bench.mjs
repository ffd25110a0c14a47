// `npm run bench -- <args>`: installs and builds what is needed, then becomes `cardbatch bench <args>`.
import { fileURLToPath } from "node:url";
import { requireNode } from "./require-node.mjs";

requireNode();
const { prepare } = await import("./prepare.mjs");
await prepare();
const entry = new URL("../dist/cli/main.js", import.meta.url);
process.argv = [process.execPath, fileURLToPath(entry), "bench", ...process.argv.slice(2)];
await import(entry.href);
