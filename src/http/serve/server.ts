import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import { PROBLEMS, Problem } from "../../domain/problem.js";
import { problemBody, sendProblem } from "./problem.js";
import { FAULT, toProblem } from "./to-problem.js";

export interface ServerLimits {
  /** Until a request's headers are there. @unit milliseconds */
  readonly headersTimeoutMs: number;
  /** Until the whole request is there. @unit milliseconds */
  readonly requestTimeoutMs: number;
  /** A connection on which nothing is asked. @unit milliseconds */
  readonly keepAliveMs: number;
  readonly mostConnections: number;
  /** Of bodies other than an image's. @unit bytes */
  readonly bodyBytes: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveMs: 10_000,
  mostConnections: 2000,
  bodyBytes: 4 * 1024 * 1024,
};

/** How often connections are held against their time limits. */
const CHECK_MS = 500;
/** IAM tokens of OCR callers are this long. */
const MAX_HEADER_BYTES = 64 * 1024;
/** How long requests under way may take to end once the server is to close. */
const CLOSE_MS = 10_000;

export interface ServerDeps {
  readonly limits: ServerLimits;
  readonly onFault: (where: string, error: unknown) => void;
  readonly onServed: (route: string, status: number, durationMs: number) => void;
}

/** The server with its limits and its manner of refusing; routes are the caller's. */
export function createServer({ limits, onFault, onServed }: ServerDeps): FastifyInstance {
  const server = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 200 },
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: CHECK_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, _request, reply) => sendProblem(reply, toProblem(error) ?? FAULT),
  });
  server.server.maxConnections = limits.mostConnections;
  server.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem === null) onFault(`${request.method} ${request.routeOptions.url ?? ""}`, error);
    return sendProblem(reply, problem ?? FAULT);
  });
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0] ?? "";
    const methods = METHODS.filter((method) => server.findRoute({ method, url: path }) !== null);
    if (methods.length > 0) reply.header("allow", methods.join(", "));
    return sendProblem(
      reply,
      methods.length > 0
        ? new Problem("method-not-allowed", `use ${methods.join(" or ")}`)
        : new Problem("not-found", "see /openapi.json for what there is"),
    );
  });
  server.addHook("onResponse", async (request, reply) => {
    onServed(request.routeOptions.url ?? "none", reply.statusCode, reply.elapsedTime);
  });
  server.addHook("onSend", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff");
  });
  return server;
}

const METHODS = ["GET", "POST", "PUT", "DELETE"] as const;

/** @returns the address it listens on */
export async function listen(server: FastifyInstance, host: string, port: number): Promise<string> {
  await server.listen({ host, port });
  const address = server.server.address() as AddressInfo;
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${name}:${address.port}`;
}

/** Takes no new connection, lets requests under way come to an end, and cuts off those that do not. */
export async function closeServer(server: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => server.server.closeAllConnections(), CLOSE_MS);
  try {
    await server.close();
  } finally {
    clearTimeout(cut);
  }
}

const CONNECTION_PROBLEMS: Readonly<Record<string, Problem>> = {
  ERR_HTTP_REQUEST_TIMEOUT: new Problem("timeout", "send the whole request within the server's time limit"),
  HPE_HEADER_OVERFLOW: new Problem("headers-too-large", `at most ${MAX_HEADER_BYTES} bytes of headers are read`),
};
const NOT_HTTP = new Problem("malformed-http", "the connection's bytes are no HTTP request");

/** What is refused before it is a request. */
function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  // A request whose answer has begun cannot be given another one.
  if ((socket as { _httpMessage?: ServerResponse<IncomingMessage> })._httpMessage?.headersSent === true) {
    return void socket.destroy();
  }
  const problem = CONNECTION_PROBLEMS[error.code ?? ""] ?? NOT_HTTP;
  const body = JSON.stringify(problemBody(problem));
  const [status, title] = PROBLEMS[problem.code];
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: application/problem+json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
