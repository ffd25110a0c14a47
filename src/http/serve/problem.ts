import type { FastifyReply } from "fastify";
import type { z } from "zod";
import { PROBLEMS, Problem } from "../../domain/problem.js";

/** The body of a problem's answer. */
export function problemBody(problem: Problem): object {
  const [status, title] = PROBLEMS[problem.code];
  return {
    type: "about:blank",
    title,
    status,
    code: problem.code,
    detail: problem.message,
    ...(problem.issues.length === 0 ? {} : { issues: problem.issues }),
  };
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.retryAfterS !== null) reply.header("retry-after", String(Math.max(1, Math.ceil(problem.retryAfterS))));
  if (problem.code === "unauthorized") reply.header("www-authenticate", 'Bearer realm="cardbatch"');
  return reply
    .code(problem.status)
    .type("application/problem+json; charset=utf-8")
    .header("cache-control", "no-store")
    .send(JSON.stringify(problemBody(problem)));
}

/** What fits the schema. @throws Problem `invalid`, naming the fields and never their values */
export function parseWith<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, MOST_ISSUES).map(({ path, message }) => ({
    path: path.map(String).join("."),
    message,
  }));
  const fields = issues.map(({ path }) => path || what).join(", ");
  throw new Problem("invalid", `${what}: ${fields} cannot be used; see issues`, { issues });
}

const MOST_ISSUES = 10;
