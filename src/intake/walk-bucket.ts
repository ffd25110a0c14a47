import { isPlainKey } from "../domain/bucket-path.js";
import { type Listed, unreadable } from "./source.js";
import { IMAGE_ENDING, OTHER_ENDING } from "./walk-folder.js";

/** An object of a bucket as its listing tells of it. */
export interface ListedKey {
  readonly key: string;
  /** See `Listed`. */
  readonly stamp: string | null;
}

export interface WalkBucketOptions {
  /** As `bucketFolder` has it. */
  readonly folder: string;
  /** The keys below the folder, whole, in their order. */
  readonly keys: AsyncIterable<ListedKey>;
  /** How much of each key is the folder's. */
  readonly skip: number;
  readonly onIgnored: () => void;
  readonly signal: AbortSignal;
}

/** Every image below a place in a bucket, by the rules of `walkFolder`: what begins with a dot is left out, and so is what is no image by name. */
export async function* walkBucket({
  folder,
  keys,
  skip,
  onIgnored,
  signal,
}: WalkBucketOptions): AsyncGenerator<Listed> {
  for await (const { key, stamp } of keys) {
    signal.throwIfAborted();
    const source = key.slice(skip);
    // What consoles make to show an empty folder.
    if (source === "" || source.endsWith("/")) continue;
    if (
      source.split("/").some((part) => part.startsWith(".") && part !== "." && part !== "..") ||
      OTHER_ENDING.test(source)
    ) {
      onIgnored();
    } else if (!isPlainKey(source)) {
      yield unreadable(folder, source, "image-reference", "its key is no path: it has empty parts, or . or ..");
    } else {
      const path = `${folder}/${source}`;
      yield { path, root: folder, source, ref: null, problem: null, unsure: !IMAGE_ENDING.test(source), stamp };
    }
  }
}
