/** Rows of text as a table with one header line. */
export function renderTable(header, rows) {
  const widths = header.map((title, i) =>
    Math.max(...[title, ...rows.map((row) => row[i])].map((text) => text.length)),
  );
  const line = (cells) =>
    cells
      .map((text, i) => text.padEnd(widths[i]))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "─".repeat(width))), ...rows.map(line)].join("\n");
}
