// `npm start`: installs and builds what is needed, then becomes `cardbatch run <args>`; without arguments, the
// demonstration on samples/. The command runs in this very process: signals, exit code and streams are its own.
import { fileURLToPath } from "node:url";
import { requireNode } from "./require-node.mjs";

requireNode();
const { prepare } = await import("./prepare.mjs");
await prepare();
const entry = new URL("../dist/cli/main.js", import.meta.url);
const args = process.argv.slice(2);
process.argv = [process.execPath, fileURLToPath(entry), ...(args.length > 0 ? ["run", ...args] : ["demo"])];
await import(entry.href);
