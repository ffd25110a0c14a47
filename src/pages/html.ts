/** What all pages share. They load nothing, run nothing, and follow the reader's light or dark. */

/** Everything a page needs is in it; should anything else ever get in, the browser refuses it. */
const NOTHING_FROM_ELSEWHERE = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --muted: #576173; --line: #d8dde5; --paper: #fff; --panel: #f5f7fa;
  --accepted: #2a7d4f; --review: #b26a00; --rejected: #7b5ea7; --failed: #c0392b; --duplicate: #5b7c99; --pending: #aab3bf;
  --one: #2563b0; --two: #b43c1e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --muted: #a3adbb; --line: #39424f; --paper: #14181e; --panel: #1d232b;
  --accepted: #4fb37c; --review: #e0a040; --rejected: #b394e0; --failed: #ef7265; --duplicate: #8fb0cc; --pending: #5f6977;
  --one: #74aaf0; --two: #f08d6c } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans CJK SC", sans-serif; margin: 0 auto; padding: 1.5rem 1rem 3rem;
  max-width: 62rem; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
p { margin: 0 0 .8rem } .muted, figcaption { color: var(--muted) }
.wide { overflow-x: auto } table { border-collapse: collapse; margin: 0 0 1rem; width: 100% }
td, th { padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; word-break: keep-all } th { font-weight: 600 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap } tr { border-bottom: 1px solid var(--line) }
code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere }
figure { margin: 0 } svg text { font: 11px system-ui, sans-serif; fill: var(--muted) }
@media print { body { max-width: none; padding: 0 } h2 { break-after: avoid } table, figure { break-inside: avoid } }`;

/** A whole page. @param style on top of what all pages have */
export function page({ title, style = "" }: { readonly title: string; readonly style?: string }, body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${NOTHING_FROM_ELSEWHERE}">
<meta name="robots" content="noindex">
<title>${escaped(title)}</title>
<style>${STYLE}${style}
</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** The first column is text, the others are figures. @param text how many columns are text @default 1 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], text = 1): string {
  const open = (tag: string, i: number) => (i < text ? `<${tag}` : `<${tag} class="n"`);
  const heads = head.map((value, i) => `${open("th", i)} scope="col">${escaped(value)}</th>`).join("");
  const body = rows
    .map((row) => `<tr>${row.map((value, i) => `${open("td", i)}>${breakable(value)}</td>`).join("")}</tr>`)
    .join("\n");
  // It may be wider than a phone, and is scrolled then, by keyboard too.
  return `<div class="wide" tabindex="0" role="group" aria-label="${escaped(tableName(head))}"><table>
<thead><tr>${heads}</tr></thead>
<tbody>
${body}
</tbody>
</table></div>
`;
}

/** Long paths may go on in the next line. */
function breakable(text: string): string {
  const lines = text.replace(/\S{20}(?=\S)/g, "$&\n").split("\n");
  return lines.map(escaped).join("<wbr>");
}

function tableName(head: readonly string[]): string {
  return `table: ${head.filter((name) => name !== "").join(", ")}`;
}

/** `0.35 %`, `97.1 %` */
export function percent(value: number): string {
  const digits = value > 0 && value < 0.01 ? 2 : 1;
  return `${(100 * value).toFixed(digits)} %`;
}

/** `2026-11-22 08:00 UTC` */
export function minute(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char);
}
