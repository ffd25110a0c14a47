import { isAbsolute, join, resolve } from "node:path";
import type { SourceFolder } from "../domain/batch.js";
import { type CardVault, JOB_REFERENCE_FIELD, type OutcomeSeal, SOURCE_FIELD } from "../domain/card-vault.js";
import { ImageError } from "../domain/errors.js";
import { hasPan, maskReference } from "../domain/find-pans.js";
import { relativeInside } from "../domain/paths.js";
import { type ImageReference, type RequestId, referenceText, requestId } from "../domain/payload.js";

/** How results name the image. */
export interface SourceName {
  /** Relative to the batch's source folder; digits of a card number in it are masked. */
  readonly source: string;
  /** Leads back to the name where it was masked. */
  readonly sourceJwe?: string;
}

/** The folders that jobs may read. */
export interface ReadableRoots {
  /** By name. */
  readonly named: ReadonlyMap<string, string>;
  /** Of references by absolute path. */
  readonly folders: readonly string[];
}

/** A reference in the clear. */
export interface PlainReference {
  readonly root?: string;
  readonly path?: string;
  readonly url?: string;
}

/** The reference in the clear. @throws ImageError `image-reference` when it cannot be decrypted */
export async function openReference(image: ImageReference, batch: string, vault: CardVault): Promise<PlainReference> {
  if (!("sealed" in image)) return image;
  try {
    const text = await vault.openText(image.sealed, { request: batch, field: JOB_REFERENCE_FIELD });
    return JSON.parse(text) as PlainReference;
  } catch {
    throw new ImageError("image-reference", "the encrypted reference cannot be opened with this keyring");
  }
}

/** Encrypts a reference whose name holds a card number; null where it holds none. */
export async function sealReference(image: PlainReference, batch: string, vault: CardVault): Promise<string | null> {
  if (!hasPan(image.path ?? "", "name")) return null;
  return vault.sealText(JSON.stringify(image), { request: batch, field: JOB_REFERENCE_FIELD });
}

/** The name as results may show it: digits of a card number masked, and the way back encrypted. */
export async function nameSource(source: string, request: RequestId, seal: OutcomeSeal): Promise<SourceName> {
  if (!hasPan(source, "name")) return { source };
  return { source: maskReference(source), sourceJwe: await seal.sealText(source, { request, field: SOURCE_FIELD }) };
}

/** The request that a job stands for. */
export function requestOf(
  batch: string,
  image: PlainReference,
  page: number,
  ref: string | null,
  vault: Pick<CardVault, "digestName">,
): RequestId {
  return requestId(batch, referenceText(image, vault.digestName), page, ref);
}

/**
 * The file that a reference means, which must lie under a folder that may be read.
 * @throws ImageError `image-reference`, `image-outside-root`
 */
export function locate(image: PlainReference, roots: ReadableRoots): { path: string; root: string } {
  if (image.url !== undefined) throw new ImageError("image-reference", "images by URL are not taken");
  const path = image.path ?? "";
  if (path.includes("\0")) throw new ImageError("image-reference", "the path holds a zero byte");
  if (image.root !== undefined) {
    const root = roots.named.get(image.root);
    if (root === undefined) throw new ImageError("image-reference", `no root is named ${image.root} here`);
    return { path: inside(root, join(root, path)), root };
  }
  if (!isAbsolute(path)) throw new ImageError("image-reference", "the path is neither absolute nor under a named root");
  const all = [...roots.named.values(), ...roots.folders];
  const root = all.find((folder) => relativeInside(folder, resolve(path)) !== null);
  if (root === undefined) throw new ImageError("image-outside-root", "the path is in no folder that may be read");
  return { path: resolve(path), root };
}

/** The path within the batch's source that it comes from; as given where it comes from none of them. */
export function nameWithinSource(image: PlainReference, sources: readonly SourceFolder[]): string {
  const path = image.path ?? image.url ?? "";
  for (const source of sources) {
    const name = source.root === image.root ? relativeInside(source.path, path) : null;
    if (name !== null && name !== "") return name;
  }
  return path;
}

function inside(root: string, path: string): string {
  if (relativeInside(root, path) !== null) return path;
  throw new ImageError("image-outside-root", "the path leads out of its root");
}
