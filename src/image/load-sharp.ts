import type { SharpConstructor } from "sharp";

/** The decoders that hostile files may reach; SVG, GIF, PDF, HEIF and all others of libvips stay shut. */
const ALLOWED_LOADERS = [
  "VipsForeignLoadJpegBuffer",
  "VipsForeignLoadPngBuffer",
  "VipsForeignLoadTiffBuffer",
  "VipsForeignLoadWebpBuffer",
];

let loading: Promise<SharpConstructor> | undefined;

/**
 * sharp, loaded and locked down at its first use: a run whose images all conform never loads it.
 * The settings are libvips' own and hold for the process: one thread a picture, since pictures run in parallel, and no
 * cache, since no picture is decoded twice.
 */
export function loadSharp(): Promise<SharpConstructor> {
  loading ??= import("sharp").then(({ default: sharp }) => {
    sharp.block({ operation: ["VipsForeignLoad"] });
    sharp.unblock({ operation: ALLOWED_LOADERS });
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return loading;
}
