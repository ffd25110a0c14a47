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

  /** Hash: the marks of files whose path falls in one bucket, `0 ≤ bucket < MARK_BUCKETS`. */
  files(batch: string, bucket: number): string {
    return `${this.prefix}:file:${batch}:${bucket.toString(36)}`;
  }

  /** Every hash of a batch's marks. */
  *marks(batch: string): Generator<string> {
    for (let bucket = 0; bucket < MARK_BUCKETS; bucket++) {
      yield `${this.prefix}:req:${batch}:${bucket.toString(36)}`;
      yield `${this.prefix}:img:${batch}:${bucket.toString(36)}`;
      yield this.files(batch, bucket);
    }
  }

  /** Hash: what is kept of each failed request of a batch. */
  failures(batch: string): string {
    return `${this.prefix}:failures:${batch}`;
  }

  /** Hash: what people decided about requests of a batch. */
  reviews(batch: string): string {
    return `${this.prefix}:reviews:${batch}`;
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

  /** String: the presence of the process that tells of the fleet. */
  teller(): string {
    return `${this.prefix}:teller`;
  }

  /** Hash: how many pages had an outcome when the fleet was last told of, and since when. */
  progress(): string {
    return `${this.prefix}:progress`;
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

  /** Hash: API keys by id, as JSON. */
  apiKeys(): string {
    return `${this.prefix}:api:keys`;
  }

  /** Hash: of each API key the address that outcomes are told to, encrypted. */
  apiWebhooks(): string {
    return `${this.prefix}:api:webhooks`;
  }

  /** Hash: of each API key the secrets that its webhooks are signed with, encrypted, as JSON. */
  apiSecrets(): string {
    return `${this.prefix}:api:secrets`;
  }

  /** String: how far an API key's rate is used up. */
  apiRate(id: string): string {
    return `${this.prefix}:api:rate:${id}`;
  }

  /** Hash: a request that was received over HTTP, and its outcome. */
  apiRequest(request: string): string {
    return `${this.prefix}:api:req:${request}`;
  }

  /** Sorted set: requests of a batch that have their outcome, in the order of that. */
  apiOutcomes(batch: string): string {
    return `${this.prefix}:api:out:${batch}`;
  }

  /** Sorted set: requests that were received and may not be on the queue yet, by when. */
  apiAccepting(): string {
    return `${this.prefix}:api:accepting`;
  }

  /** String: what was answered to a request with an Idempotency-Key. */
  apiIdempotency(key: string, digest: string): string {
    return `${this.prefix}:api:idem:${key}:${digest}`;
  }

  /** Hash: a staged file's pages, and which of them failed. */
  apiUpload(upload: string): string {
    return `${this.prefix}:api:upload:${upload}`;
  }

  /** Set: batches whose images are to be put on the queue by `serve`. */
  apiFeeding(): string {
    return `${this.prefix}:api:feeding`;
  }

  /** String: the images of a batch, encrypted, until they are on the queue. */
  apiSource(batch: string): string {
    return `${this.prefix}:api:source:${batch}`;
  }

  /** Hash: an outcome to be told. */
  delivery(id: string): string {
    return `${this.prefix}:api:dlv:${id}`;
  }

  /** Sorted set: deliveries by when they are due. */
  deliveriesDue(): string {
    return `${this.prefix}:api:due`;
  }

  /** Sorted set: an API key's deliveries that were given up, by when. */
  deliveriesParked(key: string): string {
    return `${this.prefix}:api:parked:${key}`;
  }

  /** String: the name of the folder that images are staged in, below everybody's own. */
  staging(): string {
    return `${this.prefix}:staging`;
  }

  /** Set: names of all schedules. */
  schedules(): string {
    return `${this.prefix}:schedules`;
  }

  /** Hash: what a schedule says, encrypted, and what became of its runs. */
  schedule(name: string): string {
    return `${this.prefix}:schedule:${name}`;
  }

  /** String: when schedules were last looked at. */
  schedulesSeen(): string {
    return `${this.prefix}:schedules:seen`;
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
