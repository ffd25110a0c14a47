import type { FastifyInstance } from "fastify";
import { PROBLEMS } from "../../domain/problem.js";
import { openApiDocument } from "./openapi.js";
import { OPERATIONS, type Operation } from "./operations.js";

/** `/openapi.json` for programs and `/docs` for people: one page, with nothing loaded from anywhere. */
export function addDocsRoutes(server: FastifyInstance, version: string): void {
  const document = JSON.stringify(openApiDocument(version));
  const page = docsPage(version);
  server.get("/openapi.json", async (_request, reply) => reply.type("application/json; charset=utf-8").send(document));
  server.get("/docs", async (_request, reply) =>
    reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
      .send(page),
  );
}

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; background: #fff }
  code { font: 0.9em ui-monospace, monospace; background: #f2f4f6; padding: 0.1em 0.3em; border-radius: 3px }
  section { border-top: 1px solid #d5dae0; padding: 0.5rem 0 }
  table { border-collapse: collapse } td, th { text-align: left; padding: 0.2rem 1rem 0.2rem 0; vertical-align: top }
  .verb { font-weight: 600; text-transform: uppercase } .scope { color: #57606a }
  @media (prefers-color-scheme: dark) { body { background: #14171a; color: #dde1e5 } code { background: #262b31 } }
`;

function docsPage(version: string): string {
  const problems = Object.entries(PROBLEMS).map(
    ([code, [status, title]]) => `<tr><td>${status}</td><td><code>${code}</code></td><td>${toHtml(title)}</td></tr>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>cardbatch API</title><style>${STYLE}</style>
<h1>cardbatch API</h1>
<p>Version ${toHtml(version)}. All of it for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).
Send <code>Authorization: Bearer &lt;API key&gt;</code>, as <code>cardbatch keys api add</code> made it.</p>
${OPERATIONS.map(section).join("\n")}
<h2>Problems</h2><p>As <code>application/problem+json</code> (RFC 9457); decide by <code>code</code>. After 429 and 503,
<code>Retry-After</code> says when to come again.</p>
<table><tr><th>status</th><th>code</th><th></th></tr>${problems.join("")}</table></html>`;
}

function section({ method, path, summary, description, scope, answers }: Operation): string {
  const told = Object.entries(answers).map(([status, [text]]) => `<li><code>${status}</code> ${markCode(text)}</li>`);
  return `<section><h2><span class="verb">${method}</span> <code>${toHtml(path)}</code></h2>
<p>${toHtml(summary)}. <span class="scope">${scope === null ? "Needs no key." : `Scope <code>${scope}</code>.`}</span></p>
${description === undefined ? "" : `<p>${markCode(description)}</p>`}<ul>${told.join("")}</ul></section>`;
}

function markCode(text: string): string {
  return toHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function toHtml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
