/**
 * Where an object is, as a path: `/s3:/bucket/a/b.jpg`. So a bucket is a folder like others wherever references, roots and sources are
 * concerned; only who opens an image has to look.
 */
const PLACE = /^\/s3:\/([^/]+)(?:\/(.+))?$/;

/** `s3://bucket/prefix` as a folder's path; null: it is none. */
export function bucketFolder(url: string): string | null {
  const [, bucket, prefix = ""] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(url) ?? [];
  if (bucket === undefined) return null;
  return `/s3:/${bucket}${prefix === "" ? "" : `/${prefix}`}`.replace(/\/+$/, "");
}

export interface ObjectPlace {
  readonly bucket: string;
  /** Empty: the bucket itself. */
  readonly key: string;
}

/** Null: the path is of no bucket. */
export function objectPlace(path: string): ObjectPlace | null {
  const [, bucket, key = ""] = PLACE.exec(path) ?? [];
  return bucket === undefined ? null : { bucket, key };
}

/** Whether an object's key can be a path: of a key such as `a//b` or `../b` there is no path that leads back to it. */
export function isPlainKey(key: string): boolean {
  return !key.includes("\0") && key.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
