import type { App } from "../app.js";
import type { SourceFolder } from "../domain/batch.js";
import { type CardVault, JOB_REFERENCE_FIELD } from "../domain/card-vault.js";
import { hasPan } from "../domain/find-pans.js";
import { type ImageSource, type Roots, toReference } from "../intake/source.js";

/** Marks a folder's name that is encrypted because it holds a card number. */
const SEALED = "sealed:";
const BINDING = { request: "folder", field: JOB_REFERENCE_FIELD } as const;

/** The folders of a batch's sources as Redis may know them, each once. */
export async function foldersToKeep(
  sources: readonly ImageSource[],
  roots: Roots,
  vault: CardVault,
): Promise<SourceFolder[]> {
  const folders = [...new Set(sources.map(({ folder }) => folder))].map((folder) => toReference(folder, roots));
  return Promise.all(folders.map(async (folder) => ({ ...folder, path: await seal(folder.path, vault) })));
}

/** The same, led back. */
export function openFolders(folders: readonly SourceFolder[], vault: CardVault): Promise<SourceFolder[]> {
  return Promise.all(folders.map(async (folder) => ({ ...folder, path: await open(folder.path, vault) })));
}

/** Has workers elsewhere read below these folders. */
export async function rememberRoots({ batches, vault }: App, folders: readonly string[]): Promise<void> {
  const known = new Set(await rememberedRoots({ batches, vault }));
  const unknown = [...new Set(folders)].filter((folder) => !known.has(folder));
  await batches.rememberRoots(await Promise.all(unknown.map((folder) => seal(folder, vault))));
}

export async function rememberedRoots({ batches, vault }: Pick<App, "batches" | "vault">): Promise<string[]> {
  return Promise.all((await batches.rememberedRoots()).map((folder) => open(folder, vault)));
}

async function seal(path: string, vault: CardVault): Promise<string> {
  return hasPan(path, "name") ? SEALED + (await vault.sealText(path, BINDING)) : path;
}

async function open(path: string, vault: CardVault): Promise<string> {
  return path.startsWith(SEALED) ? vault.openText(path.slice(SEALED.length), BINDING) : path;
}
