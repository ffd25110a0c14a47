/** The evaluation as one HTML page that loads nothing: tables, two plots, and the worst pages with masked numbers. */

import { escaped, minute, page, percent, table } from "../pages/html.js";
import type { Score } from "../results/accuracy.js";
import type { Evaluation } from "./evaluation.js";
import { FIELD_NAMES } from "./fields.js";
import { wilson } from "./wilson.js";

const STYLE = `
.plots { display: flex; gap: 2rem; flex-wrap: wrap }`;

/** @param about what was evaluated: provider and source, in a line; @param madeAt goes into the page's head */
export function evaluationPage(evaluation: Evaluation, about: string, madeAt: Date): string {
  const { accuracy } = evaluation;
  return page(
    { title: "cardbatch evaluation", style: STYLE },
    `<h1>${accuracy.pages} labelled pages</h1>
<p class="muted">${escaped(about)}, ${minute(madeAt)}</p>
${scoresTable(evaluation)}${fieldsTable(evaluation)}
<div class="plots">${reliabilityPlot(evaluation)}${coveragePlot(evaluation)}</div>
${coverageTable(evaluation)}${strataTables(evaluation)}${worstTable(evaluation)}`,
  );
}

function scoresTable({ accuracy, calibrationError, latencyMs }: Evaluation): string {
  const { pages, accepted, wrongAccepts } = accuracy;
  const scores: readonly (readonly [string, Score])[] = [
    ["number", accuracy.number],
    ["expiry date", accuracy.expiryDate],
    ["issue date", accuracy.issueDate],
    ["bank", accuracy.bank],
    ["type", accuracy.type],
    ["accepted", { labelled: pages, right: accepted }],
    ["wrong accepts", { labelled: accepted, right: wrongAccepts }],
  ];
  const rows = scores.filter(([, { labelled }]) => labelled > 0).map(([name, score]) => [name, ...shareCells(score)]);
  const notes = [
    calibrationError === null ? [] : [`Expected calibration error ${percent(calibrationError)}.`],
    latencyMs === null
      ? []
      : [
          `A call took ${latencyMs.p50.toFixed(0)} ms at the median, ${latencyMs.p95.toFixed(0)} ms at the 95th percentile.`,
        ],
    accuracy.missing === 0 ? [] : [`${accuracy.missing} labelled pages are not in the source.`],
  ];
  return `${table(["", "right", "of", "share", "95 % interval"], rows)}<p>${notes.flat().join(" ")}</p>`;
}

function fieldsTable({ fields, digits }: Evaluation): string {
  const rows = fields.map(({ name, labelled, given, right }) => [
    FIELD_NAMES[name],
    given === 0 ? "" : percent(right / given),
    `${given}`,
    labelled === 0 ? "" : percent(right / labelled),
    `${labelled}`,
  ]);
  const rate = digits?.characterErrorRate ?? null;
  const note =
    digits === null || rate === null
      ? ""
      : `<p>Of ${digits.labelled} digits ${digits.right} were read, and ${digits.extra} made up: character error rate ${percent(rate)}.</p>`;
  return `<h2>By field</h2>${table(["", "precision", "of what was read", "recall", "of what is there"], rows)}${note}`;
}

function strataTables({ strata }: Evaluation): string {
  return [...new Set(strata.map(({ column }) => column))]
    .map((column) => {
      const rows = strata
        .filter((stratum) => stratum.column === column)
        .map(({ value, number, accepted, wrongAccepts }) => [
          value,
          ...shareCells(number),
          `${accepted}`,
          `${wrongAccepts}`,
        ]);
      const head = [column, "right", "of", "share", "95 % interval", "accepted", "wrong accepts"];
      return `<h2>Number by ${escaped(column)}</h2>${table(head, rows)}`;
    })
    .join("");
}

function coverageTable({ coverage, accuracy }: Evaluation): string {
  const rows = coverage.map(({ threshold, accepted, wrong }) => {
    const [, most] = wilson(wrong, accepted);
    return [
      `${threshold}`,
      percent(accepted / Math.max(accuracy.pages, 1)),
      `${accepted}`,
      `${wrong}`,
      accepted === 0 ? "" : percent(most),
    ];
  });
  return `<h2>If every number from a confidence on were accepted</h2>${table(["confidence", "coverage", "pages", "wrong", "wrong at most (95 %)"], rows)}`;
}

function worstTable({ worst }: Evaluation): string {
  if (worst.length === 0) return "<p>No number is wrong.</p>";
  const rows = worst.map(({ source, page: at, confidence, outcome, read }) => [
    at === 0 ? source : `${source}, page ${at}`,
    read ?? "nothing",
    confidence.toFixed(4),
    outcome,
  ]);
  return `<h2>Wrong, surest first</h2>${table(["page", "read", "confidence", "outcome"], rows)}`;
}

function shareCells({ right, labelled }: Score): string[] {
  const [low, high] = wilson(right, labelled);
  return [`${right}`, `${labelled}`, percent(right / Math.max(labelled, 1)), `${percent(low)} – ${percent(high)}`];
}

const SIDE = 260;
const EDGE = 40;

/** Bars of what was right in each tenth of confidence; on the diagonal, confidence is what it says. */
function reliabilityPlot({ reliability }: Evaluation): string {
  const bars = reliability
    .filter(({ pages }) => pages > 0)
    .map(({ from, to, pages, right }) => {
      const tall = (SIDE * right) / pages;
      const [low, high] = wilson(right, pages);
      const middle = EDGE + (SIDE * (from + to)) / 2;
      return `<rect x="${EDGE + SIDE * from + 2}" y="${SIDE - tall}" width="${SIDE / 10 - 4}" height="${tall}" fill="var(--one)"><title>${right} of ${pages}</title></rect>
<line x1="${middle}" x2="${middle}" y1="${SIDE - SIDE * low}" y2="${SIDE - SIDE * high}" stroke="var(--ink)"/>`;
    });
  const diagonal = `<line x1="${EDGE}" y1="${SIDE}" x2="${EDGE + SIDE}" y2="0" stroke="var(--muted)" stroke-dasharray="4"/>`;
  return figure(bars.join("\n") + diagonal, "Share right by confidence", ["0", "0.5", "1"], ["0 %", "50 %", "100 %"]);
}

/** Wrong accepts over coverage, as the threshold falls. */
function coveragePlot({ coverage, accuracy }: Evaluation): string {
  const points = coverage
    .filter(({ accepted }) => accepted > 0)
    .map(({ accepted, wrong }) => [accepted / accuracy.pages, wrong / accepted] as const);
  const most = Math.max(0.001, ...points.map(([, wrong]) => wrong));
  const place = points.map(([x, y]) => `${EDGE + SIDE * x},${SIDE - (SIDE * y) / most}`);
  const marks = place.map(
    (at) => `<circle cx="${at.split(",")[0]}" cy="${at.split(",")[1]}" r="3" fill="var(--two)"/>`,
  );
  const line = `<polyline points="${place.join(" ")}" fill="none" stroke="var(--two)"/>`;
  return figure(
    line + marks.join(""),
    "Wrong accepts by coverage",
    ["0", "50 %", "100 %"],
    ["0 %", percent(most / 2), percent(most)],
  );
}

function figure(inside: string, caption: string, x: readonly string[], y: readonly string[]): string {
  const along = x.map(
    (text, i) => `<text x="${EDGE + (SIDE * i) / 2}" y="${SIDE + 16}" text-anchor="middle">${text}</text>`,
  );
  const up = y.map(
    (text, i) => `<text x="${EDGE - 4}" y="${SIDE - (SIDE * i) / 2 + 4}" text-anchor="end">${text}</text>`,
  );
  const axes = `<polyline points="${EDGE},0 ${EDGE},${SIDE} ${EDGE + SIDE},${SIDE}" fill="none" stroke="var(--muted)"/>`;
  return `<figure><svg role="img" aria-label="${caption}" width="${SIDE + EDGE + 24}" height="${SIDE + 28}" viewBox="0 -8 ${SIDE + EDGE + 24} ${SIDE + 28}">${axes}${inside}${along.join("")}${up.join("")}</svg><figcaption>${caption}</figcaption></figure>`;
}
