// Walks a folder, reads every file and hashes it, several at a time; nothing else.
import { hash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";

const { folder, concurrency } = JSON.parse(process.argv[2]);
const limit = pLimit(concurrency);
const entries = await readdir(folder, { recursive: true, withFileTypes: true });
const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
await Promise.all(files.map((file) => limit(async () => hash("sha256", await readFile(file), "hex"))));
