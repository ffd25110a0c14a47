import type { FileFacts } from "../domain/image.js";
import { countPages } from "./inspect-page.js";
import { digestImage } from "./open-image.js";
import { sniffFormat } from "./sniff.js";

/** What is to be known of an image before anybody works on it. */
export function factsOf(bytes: Buffer): FileFacts {
  return { key: digestImage(bytes), pages: pagesOf(bytes), isImage: sniffFormat(bytes) !== null };
}

/** A file whose pages cannot be counted is one page, which the worker will say what is wrong with. */
export function pagesOf(bytes: Buffer): number {
  try {
    return countPages(bytes);
  } catch {
    return 1;
  }
}
