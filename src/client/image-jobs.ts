import { hasPan } from "../domain/find-pans.js";
import {
  type ImageJob,
  imageJobSchema,
  PAYLOAD_SCHEMA,
  type RequestId,
  referenceText,
  requestId,
} from "../domain/payload.js";
import { jobId } from "../domain/queue-names.js";
import { CardbatchClientError } from "./client-error.js";

/** Where an image is: by its absolute path, or under a root that the workers know by name. */
export type ImageLocation = {
  readonly path: string;
  readonly root?: string;
  /** Counted from 0; without it every page is read, each a request of its own. */
  readonly page?: number;
  /** `sha256:<hex>` of its bytes; then an image that was changed meanwhile is refused instead of read. */
  readonly key?: `sha256:${string}`;
};

/** A wish to have an image read. */
export interface ImageToRead {
  readonly image: ImageLocation;
  /** Requests of one batch share what is known of it; an image that it holds twice is read once. */
  readonly batch: string;
  /** Your own id, given back with the outcome; at most 128 characters, and no card number. */
  readonly ref?: string;
  /** `interactive` goes ahead of every batch. @default "batch" */
  readonly priority?: "batch" | "interactive";
  /** Where the outcome goes: `card-results.<destination>`. @default the batch's own */
  readonly destination?: string;
}

export interface EnqueuedImage {
  /** The request's id, which its outcome carries: of the page, or of the first where every page is read. */
  readonly request: RequestId;
  readonly jobId: string;
}

export interface JobToAdd extends EnqueuedImage {
  readonly job: ImageJob;
}

/**
 * The job as it goes on the queue, named as the application itself names it: the same wish is the same job.
 * @throws CardbatchClientError `payload-invalid`, `reference-holds-card-number`
 */
export function toJob(wish: ImageToRead): JobToAdd {
  const { image, batch, ref, priority = "batch", destination } = wish;
  const parsed = imageJobSchema.safeParse({ schema: PAYLOAD_SCHEMA, image, batch, ref, priority, destination });
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message }));
    throw new CardbatchClientError("payload-invalid", `the image job is refused: ${describe(issues)}`, { issues });
  }
  if (hasPan(image.path, "name")) {
    throw new CardbatchClientError(
      "reference-holds-card-number",
      "the image's name holds what looks like a card number; rename it, or send the image over HTTP",
    );
  }
  const request = requestId(
    batch,
    referenceText(image, () => ""),
    image.page ?? 0,
    ref ?? null,
  );
  return { request, jobId: jobId(request, image.page), job: parsed.data };
}

function describe(issues: readonly { path: string; message: string }[]): string {
  return issues.map(({ path, message }) => `${path || "it"}: ${message}`).join("; ");
}
