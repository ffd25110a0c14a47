import type { FileFacts, ImageKey } from "../domain/image.js";

/** What a thread is to do with a file: tell of it, or hand its bytes over. */
export interface FileRequest {
  readonly id: number;
  readonly want: "facts" | "bytes";
  readonly path: string;
  readonly root: string;
}

/** A thread's answer. Errors travel as code and message. */
export type FileMessage =
  | { readonly kind: "facts"; readonly id: number; readonly facts: FileFacts }
  | { readonly kind: "bytes"; readonly id: number; readonly key: ImageKey; readonly bytes: Uint8Array }
  | { readonly kind: "failed"; readonly id: number; readonly code: string; readonly message: string };
