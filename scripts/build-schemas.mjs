// Writes schemas/v1/ anew from the built sources: `npm run build && node scripts/build-schemas.mjs`. A test tells when that is due.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { jsonSchemas } from "../dist/domain/json-schemas.js";

const folder = fileURLToPath(new URL("../schemas/v1/", import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, schema] of Object.entries(jsonSchemas())) {
  writeFileSync(folder + name, `${JSON.stringify(schema, null, 2)}\n`);
}
