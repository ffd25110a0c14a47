import { randomBytes } from "node:crypto";
import { z } from "zod";
import { isSameSecret } from "../../providers/same-secret.js";
import { renderJson, type WireReply } from "../../providers/vendor-server.js";

export interface IamAccount {
  readonly domain: string;
  readonly user: string;
  readonly password: string;
  /** @unit milliseconds; the vendor's tokens live 24 hours */
  readonly tokenLifetimeMs: number;
}

/** The vendor's token service, with what it knows of its tokens. */
export interface Iam {
  /** Answers `POST /v3/auth/tokens`. */
  issue(body: Buffer, nowMs: number): WireReply;
  stateOf(token: string, nowMs: number): "valid" | "expired" | "unscoped" | "unknown";
  revokeAll(): void;
  readonly counts: { readonly issued: number; readonly refused: number };
}

/** So many wrong passwords in a row lock the account, for so long. */
const WRONG_PASSWORDS = 5;
const LOCK_MS = 15 * 60 * 1000;

const name = z.object({ name: z.string() });
const requestSchema = z.object({
  auth: z.object({
    identity: z.object({
      password: z.object({ user: z.object({ name: z.string(), password: z.string(), domain: name }) }),
    }),
    scope: z.object({ project: z.union([z.object({ id: z.string() }), name]) }).optional(),
  }),
});

/** @param account null: nobody is known; @param projectId null: any project will do */
export function createIam(account: IamAccount | null, projectId: string | null): Iam {
  const tokens = new Map<string, { readonly expiresMs: number; readonly scoped: boolean }>();
  const counts = { issued: 0, refused: 0 };
  let wrongInARow = 0;
  let lockedUntilMs = 0;

  function refuse(status: number, title: string, message: string): WireReply {
    counts.refused++;
    return renderJson(status, {}, { error: { code: status, message, title } });
  }

  function isKnown(user: z.infer<typeof requestSchema>["auth"]["identity"]["password"]["user"]): boolean {
    if (account === null) return false;
    const given = JSON.stringify([user.domain.name, user.name, user.password]);
    return isSameSecret(given, JSON.stringify([account.domain, account.user, account.password]));
  }

  return {
    issue(body, nowMs) {
      const parsed = requestSchema.safeParse(parseJson(body));
      if (!parsed.success) return refuse(400, "Bad Request", "The request body is invalid.");
      if (nowMs < lockedUntilMs) return refuse(401, "Unauthorized", "The account is locked.");
      const { identity, scope } = parsed.data.auth;
      if (account === null || !isKnown(identity.password.user)) {
        wrongInARow = (wrongInARow + 1) % WRONG_PASSWORDS;
        if (wrongInARow === 0) lockedUntilMs = nowMs + LOCK_MS;
        return refuse(401, "Unauthorized", "The username or password is wrong.");
      }
      wrongInARow = 0;
      const project = scope?.project;
      if (project !== undefined && "id" in project && projectId !== null && project.id !== projectId) {
        return refuse(401, "Unauthorized", "The project is not one of the user's.");
      }
      const token = `MII${randomBytes(48).toString("base64url")}`;
      const expiresMs = nowMs + account.tokenLifetimeMs;
      tokens.set(token, { expiresMs, scoped: scope !== undefined });
      counts.issued++;
      const times = { issued_at: toIamTime(nowMs), expires_at: toIamTime(expiresMs) };
      return renderJson(201, { "x-subject-token": token }, { token: { ...times, methods: ["password"] } });
    },
    stateOf(token, nowMs) {
      const known = tokens.get(token);
      if (known === undefined) return "unknown";
      if (nowMs >= known.expiresMs) return "expired";
      return known.scoped ? "valid" : "unscoped";
    },
    revokeAll: () => tokens.clear(),
    counts,
  };
}

/** Microseconds, as the vendor writes them. */
function toIamTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
