import { z } from "zod";
import { ERROR_CODES, type ErrorCode, isErrorCode } from "../domain/errors.js";
import type { ImageKey } from "../domain/image.js";
import { type ImageJob, imageJobSchema, type RequestId } from "../domain/payload.js";
import type { OutcomeRecord } from "../domain/record.js";

/** What is kept of a failed request until it has another outcome: why it failed, and what to try it again with. */
const keptSchema = z.object({
  code: z.enum(ERROR_CODES as [ErrorCode, ...ErrorCode[]]),
  source: z.string(),
  message: z.string(),
  key: z.templateLiteral(["sha256:", z.string()]).nullable(),
  page: z.number().int().nonnegative(),
  job: imageJobSchema.nullable(),
});

export interface KeptFailure extends z.infer<typeof keptSchema> {
  readonly request: RequestId;
  readonly key: ImageKey | null;
}

/**
 * @param job without the image's key: who tries it again wants the file as it is by then
 */
export function keepFailure({ image, code = "", message = "" }: OutcomeRecord, job: ImageJob | null): string {
  const why = isErrorCode(code) ? code : "internal";
  const kept = { code: why, source: image.source, message, key: image.key, page: image.page, job: withoutKey(job) };
  return JSON.stringify(kept satisfies z.infer<typeof keptSchema>);
}

function withoutKey(job: ImageJob | null): ImageJob | null {
  if (job === null) return null;
  const { key: _, ...image } = job.image;
  return { ...job, image };
}

/** Null: it was kept by another version. */
export function parseFailure(request: string, text: string): KeptFailure | null {
  const { data } = keptSchema.safeParse(JSON.parse(text));
  return data === undefined ? null : { ...data, request: request as RequestId };
}
