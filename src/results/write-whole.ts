import { open, rename } from "node:fs/promises";

/** Replaces a file as a whole: whoever reads it sees the old one or the new one, also after a crash. */
export async function writeFileWhole(path: string, text: string): Promise<void> {
  const draft = `${path}.tmp`;
  const handle = await open(draft, "w");
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, path);
}
