const VOID = new Set(["meta", "wbr", "!doctype"]);

/** What keeps a page from being well formed, in words: every element closed, in order, no attribute twice, text escaped. */
export function findHtmlFaults(page: string): string[] {
  const faults: string[] = [];
  const open: string[] = [];
  const text = page.replace(/<style>[\s\S]*?<\/style>/, "");
  for (const [tag, slash, name = "", attributes = ""] of text.matchAll(/<(\/?)([a-z!][a-z0-9]*)([^>]*)>/gi)) {
    const element = name.toLowerCase();
    if (slash === "/") {
      const last = open.pop();
      if (last !== element) faults.push(`${tag} closes ${last}`);
      continue;
    }
    const names = [...attributes.matchAll(/\s([a-z-]+)(?==")/gi)].map(([, attribute]) => attribute);
    if (new Set(names).size !== names.length) faults.push(`${tag}: an attribute twice`);
    if (!VOID.has(element) && !attributes.endsWith("/")) open.push(element);
  }
  if (open.length > 0) faults.push(`not closed: ${open.join(", ")}`);
  if (/&(?!(amp|lt|gt|quot|#39);)/.test(text)) faults.push("an ampersand that is not escaped");
  if (/<(?![/!a-z])/i.test(text)) faults.push("a < that is not escaped");
  return faults;
}

/** Whatever in a page could make a browser ask somebody for something. */
export function findRequests(page: string): string[] {
  return (
    page.match(/https?:|\burl\(|@import|\b(src|href|srcset|action|data|poster)\s*=|<(script|iframe|object|link)\b/gi) ??
    []
  );
}
