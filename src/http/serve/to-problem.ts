import { CardbatchError, ImageError } from "../../domain/errors.js";
import { Problem } from "../../domain/problem.js";

/** What the framework's and the body parsers' codes mean. */
const FRAMEWORK_CODES: Readonly<Record<string, readonly [code: Problem["code"], detail: string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["unsupported-media-type", "see /openapi.json for the content types taken here"],
  FST_ERR_CTP_EMPTY_TYPE: ["unsupported-media-type", "the request has a body and no Content-Type"],
  FST_ERR_CTP_BODY_TOO_LARGE: ["too-large", "the body is over the server's limit"],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["bad-request", "the body is empty where JSON was announced"],
  FST_ERR_CTP_INVALID_JSON_BODY: ["bad-request", "the body is not JSON"],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["bad-request", "the body's length is not the Content-Length"],
  FST_ERR_BAD_URL: ["bad-request", "the address cannot be decoded"],
  FST_ERR_MAX_PARAM_LENGTH: ["not-found", "no name is so long"],
  FST_REQ_FILE_TOO_LARGE: ["too-large", "the image is over the server's limit"],
  FST_FILES_LIMIT: ["invalid", "send one image a request"],
  FST_PARTS_LIMIT: ["invalid", "there are too many parts"],
  FST_FIELDS_LIMIT: ["invalid", "there are too many fields"],
  FST_PROTO_VIOLATION: ["invalid", "a field has a name that is not taken"],
  FST_INVALID_MULTIPART_CONTENT_TYPE: ["bad-request", "the multipart body has no boundary"],
  FST_ERR_MULTIPART_INVALID: ["bad-request", "the multipart body is cut short or damaged"],
};

/** The answer to whatever was thrown; `null` where it is a fault of ours, to be logged and never shown. */
export function toProblem(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof ImageError)
    return new Problem("image-refused", `${error.code}: ${error.message}: ${error.hint}`);
  if (error instanceof CardbatchError && error.details.system === "ENOSPC") {
    return new Problem("storage-full", "the disk that holds the staging folder is full", { retryAfterS: 60 });
  }
  if (error instanceof CardbatchError && error.code === "storage-unavailable") {
    return new Problem("unavailable", `${error.message}: ${error.hint}`, { retryAfterS: 10 });
  }
  const { code, statusCode } = fieldsOf(error);
  const known = FRAMEWORK_CODES[code];
  if (known !== undefined) return new Problem(...known);
  // What else the framework refuses is the request's fault; its text may quote the request.
  if (statusCode >= 400 && statusCode < 500) return new Problem("bad-request", "the request cannot be read");
  return null;
}

export const FAULT = new Problem("internal", "it is in the server's log; please report it");

function fieldsOf(error: unknown): { readonly code: string; readonly statusCode: number } {
  if (typeof error !== "object" || error === null) return { code: "", statusCode: 0 };
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  return { code: String(code ?? ""), statusCode: Number(statusCode ?? 0) };
}
