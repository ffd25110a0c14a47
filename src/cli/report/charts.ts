import { escaped } from "../../pages/html.js";
import { count, duration } from "../format.js";

/** Drawn in units of its own and stretched to the page's width; what is text stands beside it and keeps its size. */
const WIDE = 1000;
const TALL = 240;

export interface Line {
  readonly name: string;
  /** A custom property of the page's style. */
  readonly color: string;
  readonly isDashed?: true;
  /** Null: there is none here. */
  readonly values: readonly (number | null)[];
}

/** Lines over time, from zero. @param ends of each stretch, in milliseconds */
export function timeChart(caption: string, ends: readonly number[], lines: readonly Line[]): string {
  const most = roundUp(Math.max(...lines.flatMap(({ values }) => values.map((value) => value ?? 0)), 0.1));
  const longest = ends.at(-1) ?? 1;
  const drawn = lines.map((line) => path(line, ends, { most, longest }));
  const grid = [0.25, 0.5, 0.75].map((share) => rule(TALL * share));
  const legend = lines.map(
    ({ name, color, isDashed }) =>
      `<li><span class="key${isDashed ? " dashed" : ""}" style="--color:var(${color})"></span>${escaped(name)}</li>`,
  );
  return `<figure class="chart">
<ul class="legend">${legend.join("")}</ul>
<div class="plot"><div class="up"><span>${figureText(most)}</span><span>${figureText(most / 2)}</span><span>0</span></div>
<svg viewBox="0 0 ${WIDE} ${TALL}" preserveAspectRatio="none" role="img" aria-label="${escaped(caption)}">${grid.join("")}${drawn.join("")}</svg></div>
<div class="along"><span>0</span><span>${duration(longest / 2)}</span><span>${duration(longest)}</span></div>
<figcaption>${escaped(caption)}</figcaption>
</figure>
`;
}

function path({ values, color, isDashed }: Line, ends: readonly number[], { most, longest }: Scale): string {
  let isDown = false;
  const steps = values.map((value, i) => {
    if (value === null) {
      isDown = false;
      return "";
    }
    const y = (TALL * (1 - value / most)).toFixed(1);
    const from = ((WIDE * (i === 0 ? 0 : (ends[i - 1] ?? 0))) / longest).toFixed(1);
    const step = `${isDown ? "L" : "M"}${from} ${y}H${((WIDE * (ends[i] ?? 0)) / longest).toFixed(1)}`;
    isDown = true;
    return step;
  });
  const dashes = isDashed ? ' stroke-dasharray="6 4"' : "";
  return `<path d="${steps.join("")}" fill="none" style="stroke:var(${color})"${dashes}/>`;
}

interface Scale {
  readonly most: number;
  readonly longest: number;
}

function rule(y: number): string {
  return `<path d="M0 ${y}H${WIDE}" class="rule"/>`;
}

/** A figure with one leading 1, 2 or 5 that is not less. */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((step) => step * unit >= value) ?? 10) * unit;
}

function figureText(value: number): string {
  return value >= 10 ? count(value) : String(Math.round(value * 100) / 100);
}

export interface Share {
  readonly name: string;
  readonly value: number;
  readonly color: string;
}

/** Parts of a whole as one bar. */
export function shareBar(caption: string, shares: readonly Share[]): string {
  const parts = shares.filter(({ value }) => value > 0);
  const bars = parts.map(
    ({ name, value, color }) =>
      `<span style="flex:${value};--color:var(${color})" title="${escaped(name)}: ${count(value)}"></span>`,
  );
  return `<div class="bar" role="img" aria-label="${escaped(caption)}">${bars.join("")}</div>
`;
}
