import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

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
  await replaceFile(draft, path);
}

/** Puts a complete file in another one's place; when it resolves, a power cut does not undo it. */
export async function replaceFile(draft: string, path: string): Promise<void> {
  await rename(draft, path);
  await syncFolder(dirname(path));
}

/** Makes new and renamed entries of a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    // Some file systems know no such thing; then there is nothing to be done.
    await handle.sync().catch(() => {});
  } finally {
    await handle.close();
  }
}
