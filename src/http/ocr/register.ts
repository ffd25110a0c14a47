import type { FastifyInstance } from "fastify";
import type { OcrServer } from "./ocr-server.js";

/** One of each vendor; which project is right is the vendor's own check. */
const PATHS = ["/v2/:project/ocr/bankcard", "/api/bank_card_ocr/v1"];

/**
 * Adds the vendors' routes to a scope of their own: bodies are left to the OCR server, whatever their content type, since a
 * signature covers their very bytes.
 */
export function registerOcr(scope: FastifyInstance, ocr: OcrServer): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const path of PATHS) {
    scope.post(path, { schema: { hide: true } as object }, async (request, reply) => {
      const answer = await ocr.answer(request.raw);
      if (answer === null) {
        // Who asked has hung up.
        reply.hijack();
        request.raw.destroy();
        return;
      }
      return reply.code(answer.status).headers(answer.headers).send(answer.body);
    });
  }
}
