import { createHash } from "node:crypto";
import type { AnswerKey } from "../domain/answer.js";
import type { ImageKey } from "../domain/image.js";
import type { RequestId } from "../domain/payload.js";

/**
 * Marks of requests and images live in this many hashes a batch, so that each stays in Redis's compact encoding (at most
 * 512 fields by default) up to two million pages, and a mark costs its own bytes instead of a key's overhead.
 */
export const MARK_BUCKETS = 4096;

/** Bytes of an image key's digest kept in a batch's marks: 96 bits, base64url. */
const IMAGE_FIELD_LENGTH = 16;

/** The names of everything cardbatch keeps in Redis besides BullMQ's queues. */
export class Keys {
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** Written to see whether Redis takes writes. */
  probe(): string {
    return `${this.prefix}:probe`;
  }

  /** Hash: a batch's settings and accounts. */
  batch(name: string): string {
    return `${this.prefix}:batch:${name}`;
  }

  /** Set: names of all batches. */
  batches(): string {
    return `${this.prefix}:batches`;
  }

  /** Hash: mark of each request of a batch, one of `MARK_BUCKETS`. */
  requests(batch: string, request: RequestId): string {
    return `${this.prefix}:req:${batch}:${bucketOf(request)}`;
  }

  /** Hash: which request of a batch owns an image's page, one of `MARK_BUCKETS`. */
  images(batch: string, field: string): string {
    return `${this.prefix}:img:${batch}:${bucketOf(field)}`;
  }

  /** Hash: the marks of requests in one bucket, `0 ≤ bucket < MARK_BUCKETS`. */
  requestBucket(batch: string, bucket: number): string {
    return `${this.prefix}:req:${batch}:${bucket.toString(36)}`;
  }

  /** Every hash of a batch's marks. */
  *marks(batch: string): Generator<string> {
    for (let bucket = 0; bucket < MARK_BUCKETS; bucket++) {
      yield `${this.prefix}:req:${batch}:${bucket.toString(36)}`;
      yield `${this.prefix}:img:${batch}:${bucket.toString(36)}`;
    }
  }

  /** Hash: what is kept of each failed request of a batch. */
  failures(batch: string): string {
    return `${this.prefix}:failures:${batch}`;
  }

  answer(key: AnswerKey): string {
    return `${this.prefix}:ans:${key}`;
  }

  inFlight(key: AnswerKey): string {
    return `${this.prefix}:fly:${key}`;
  }

  /** String: a call that was taken for lost, by the ticket of its claim. */
  lostCall(ticket: string): string {
    return `${this.prefix}:lost:${ticket}`;
  }

  /** Alive as long as its process is. */
  owner(id: string): string {
    return `${this.prefix}:owner:${id}`;
  }

  pace(provider: string, account: string): string {
    return `${this.prefix}:pace:${provider}:${createHash("sha256").update(account).digest("base64url").slice(0, 12)}`;
  }

  /** Set: provider and key of every account's pace. */
  paces(): string {
    return `${this.prefix}:paces`;
  }

  /** How often preparing an image has begun without ending. */
  preparing(request: RequestId): string {
    return `${this.prefix}:prep:${request}`;
  }

  /** Held by the one live run of a batch, or writer of a destination. */
  lease(what: string): string {
    return `${this.prefix}:lease:${what}`;
  }

  /** Hash: what a sink has committed. */
  sink(id: string): string {
    return `${this.prefix}:sink:${id}`;
  }

  /** String: the id of the keyring that everything here is encrypted with. */
  keyring(): string {
    return `${this.prefix}:keyring`;
  }

  /** Hash: the public key that a destination's outcomes are encrypted to, by destination. */
  recipients(): string {
    return `${this.prefix}:recipients`;
  }

  /** Set: folders that run and enqueue have named as sources. */
  roots(): string {
    return `${this.prefix}:roots`;
  }
}

/** An image's page within a batch's marks. */
export function imageField(key: ImageKey, page: number): string {
  const digest = Buffer.from(key.slice("sha256:".length), "hex").toString("base64url").slice(0, IMAGE_FIELD_LENGTH);
  return page === 0 ? digest : `${digest}/${page}`;
}

/** Both kinds of names begin, after `r_`, with evenly spread base64url: two of its characters are twelve bits. */
function bucketOf(name: string): string {
  return bucketNumber(name).toString(36);
}

/** Which bucket a request's or an image's mark is in. */
export function bucketNumber(name: string): number {
  const at = name.startsWith("r_") ? 2 : 0;
  const high = BASE64URL.indexOf(name.charAt(at));
  const low = BASE64URL.indexOf(name.charAt(at + 1));
  return high * 64 + low;
}

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
