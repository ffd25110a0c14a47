import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { type ApiKey, parseApiKey, type Scope } from "../../domain/api-key.js";
import { Problem } from "../../domain/problem.js";
import { rememberedBy } from "../../domain/remembered.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Set before any handler runs. */
    apiKey: ApiKey | null;
  }

  interface FastifyContextConfig {
    /** What the key must be allowed to do. */
    readonly scope?: Scope;
  }
}

/** How stale what is known of a key may be. @unit milliseconds */
const KNOWN_MS = 1000;

export interface AuthenticateDeps {
  readonly findKey: (id: string) => Promise<ApiKey | null>;
  /** @returns 0, or after how many ms to come again */
  readonly takeTurn: (key: ApiKey) => Promise<number>;
}

/** Has every route below refuse who may not use it, before anything of the body is read. */
export function addAuthentication(server: FastifyInstance, { findKey, takeTurn }: AuthenticateDeps): void {
  const find = rememberedBy(findKey, KNOWN_MS);
  server.decorateRequest("apiKey", null);
  server.addHook("onRequest", async (request) => {
    const key = await authenticate(request.headers.authorization, find);
    const waitMs = await takeTurn(key);
    if (waitMs > 0) {
      throw new Problem("rate-limited", `at most ${key.rate} requests a second`, { retryAfterS: waitMs / 1000 });
    }
    const { scope } = request.routeOptions.config;
    if (scope !== undefined && !mayDo(key, scope)) throw new Problem("forbidden", `this needs the scope ${scope}`);
    request.apiKey = key;
  });
}

/** The key that a request was made with. */
export function callerOf({ apiKey }: FastifyRequest): ApiKey {
  if (apiKey === null) throw new Problem("unauthorized", NO_KEY);
  return apiKey;
}

export function mayDo(key: ApiKey, scope: Scope): boolean {
  return key.scopes.includes(scope) || key.scopes.includes("admin");
}

const NO_KEY = "send Authorization: Bearer <API key>, as `cardbatch keys api add` made it";
/** What an unknown key is compared with, so that it takes as long as a known one. */
const NO_DIGEST = createHash("sha256").update("no key").digest();

async function authenticate(header: string | undefined, find: (id: string) => Promise<ApiKey | null>): Promise<ApiKey> {
  const given = parseApiKey(/^Bearer +(\S+)$/i.exec(header ?? "")?.[1] ?? "");
  const key = given === null ? null : await find(given.id);
  const digest = createHash("sha256")
    .update(given?.secret ?? "")
    .digest();
  const isRight = timingSafeEqual(digest, key === null ? NO_DIGEST : Buffer.from(key.digest, "hex"));
  if (key === null || !isRight || key.revokedAt !== null) throw new Problem("unauthorized", NO_KEY);
  return key;
}
