import type { FastifyInstance } from "fastify";
import { PROBLEMS } from "../../domain/problem.js";
import { escaped, page, table } from "../../pages/html.js";
import { openApiDocument } from "./openapi.js";
import { OPERATIONS, type Operation } from "./operations.js";

/** `/openapi.json` for programs and `/docs` for people: one page, with nothing loaded from anywhere. */
export function addDocsRoutes(server: FastifyInstance, version: string): void {
  const document = JSON.stringify(openApiDocument(version));
  const docs = docsPage(version);
  server.get("/openapi.json", async (_request, reply) => reply.type("application/json; charset=utf-8").send(document));
  server.get("/docs", async (_request, reply) =>
    reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
      .send(docs),
  );
}

/** On top of every page's style. */
const STYLE = `
a { color: var(--one) } code { background: var(--panel); padding: .1em .3em; border-radius: 3px }
section { border-top: 1px solid var(--line); margin-top: 1.4rem } section h2 { margin: 1.2rem 0 .4rem; overflow-wrap: anywhere }
h2 code { background: none; padding: 0 } .verb { font-size: .85rem; letter-spacing: .04em; text-transform: uppercase; color: var(--muted) }
.all { columns: 22rem; list-style: none; padding: 0 } .all a { text-decoration: none } ul { padding-left: 1.2rem }`;

function docsPage(version: string): string {
  const problems = Object.entries(PROBLEMS).map(([code, [status, title]]) => [String(status), code, title]);
  const body = `<h1>cardbatch API</h1>
<p>Version ${escaped(version)}. All of it for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).
Send <code>Authorization: Bearer &lt;API key&gt;</code>, as <code>cardbatch keys api add</code> made it.</p>
<ul class="all">${OPERATIONS.map((operation) => `<li><a href="#${anchor(operation)}">${nameOf(operation)}</a></li>`).join("\n")}</ul>
${OPERATIONS.map(section).join("\n")}
<section><h2>Problems</h2><p>As <code>application/problem+json</code> (RFC 9457); decide by <code>code</code>. After 429 and 503,
<code>Retry-After</code> says when to come again.</p>
${table(["status", "code", "means"], problems, 3)}</section>`;
  return page({ title: "cardbatch API", style: STYLE }, body);
}

function section(operation: Operation): string {
  const { summary, description, scope, answers } = operation;
  const told = Object.entries(answers).map(([status, [text]]) => `<li><code>${status}</code> ${markCode(text)}</li>`);
  return `<section id="${anchor(operation)}"><h2>${nameOf(operation)}</h2>
<p>${escaped(summary)}. <span class="muted">${scope === null ? "Needs no key." : `Scope <code>${scope}</code>.`}</span></p>
${description === undefined ? "" : `<p>${markCode(description)}</p>`}<ul>${told.join("")}</ul></section>`;
}

function nameOf({ method, path }: Operation): string {
  return `<span class="verb">${method}</span> <code>${escaped(path)}</code>`;
}

function anchor({ method, path }: Operation): string {
  return `${method}${path.replace(/[^a-z0-9]+/gi, "-")}`;
}

function markCode(text: string): string {
  return escaped(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}
