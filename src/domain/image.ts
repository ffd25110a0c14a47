export type ImageFormat = "jpeg" | "png" | "bmp" | "tiff" | "webp";

/** `sha256:` and the SHA-256 of the image's bytes in lower-case hex. */
export type ImageKey = `sha256:${string}`;

/** What reading an image's bytes tells. */
export interface FileFacts {
  readonly key: ImageKey;
  readonly pages: number;
  readonly isImage: boolean;
}

/** What a provider takes. A picture outside these bounds is converted or resized first. */
export interface ImageBounds {
  readonly formats: readonly ImageFormat[];
  /** Shortest side allowed. @unit pixels */
  readonly minSide: number;
  /** Longest side allowed. @unit pixels */
  readonly maxSide: number;
  /** Most bytes of the file after base64, the smaller reading of what the vendor writes. @unit bytes */
  readonly maxBase64Bytes: number;
}

/** One page of one image as it goes to a provider. */
export interface PreparedImage {
  readonly bytes: Buffer;
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  /** Pixels of the displayed page for one pixel sent; 1 unless the page was resized. Leads keypoints back. */
  readonly pixelsPerSentPixel: number;
  /** The file's own bytes went out untouched. */
  readonly untouched: boolean;
}
