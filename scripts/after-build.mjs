// What the compiler leaves to do: the command's file is started by name, by npx and by npm's link to it.
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const entry = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
if (!existsSync(entry) || !readFileSync(entry, "utf8").startsWith("#!/usr/bin/env node\n")) {
  console.error("dist/cli/main.js is missing or does not begin with #!/usr/bin/env node");
  process.exit(1);
}
chmodSync(entry, 0o755);
