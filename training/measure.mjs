// Reads labelled pictures with the built engine, in one thread, and prints how right and how fast it was; never a number.
//   node training/measure.mjs --source DIR… [--truth FILE] [--models DIR] [--dist DIR] [--limit N] [--dump FILE]
// Sources are measured as one. The truth file has the columns file and number, and perhaps issueDate and expiryDate; a picture's first card counts.
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";

const { values: args } = parseArgs({
  options: {
    source: { type: "string", multiple: true, default: [] },
    truth: { type: "string" },
    models: { type: "string", default: "models" },
    dist: { type: "string", default: "dist" },
    limit: { type: "string", default: "1000000" },
    dump: { type: "string" },
  },
});
sharp.concurrency(1);
const load = (name) => import(pathToFileURL(resolve(args.dist, name)).href);
const { readPicture } = await load("engine/engine.js");
const { loadModels } = await load("engine/session.js");
const { findIssuer } = await load("domain/iin.js");
const { isLuhnValid } = await load("domain/luhn.js");
const models = await loadModels(resolve(args.models));
const rows = [];
const scenes = new Map();
for (const source of args.source) {
  const labels = parseCsv(await readFile(args.truth ?? join(source, "truth.csv"), "utf8"));
  rows.push(...labels.map((row) => ({ ...row, path: join(source, row.file) })));
  for (const scene of await readScenes(join(source, "scenes.ndjson"))) scenes.set(join(source, scene.file), scene);
}

const results = [];
const unreadable = [];
for (const row of rows.slice(0, Number(args.limit))) {
  const bytes = await readFile(row.path);
  const start = performance.now();
  try {
    const { cards } = await readPicture(models, bytes);
    results.push(judge(row, cards, performance.now() - start, scenes.get(row.path)));
  } catch (error) {
    // BMP, for one: the application converts it before the engine sees it.
    unreadable.push(error.code);
  }
}
if (results.length > 0) report(results);
if (unreadable.length > 0) console.log(`not decoded: ${unreadable.length}`);
if (args.dump) await writeFile(args.dump, results.map((r) => `${JSON.stringify(r)}\n`).join(""));

function judge(row, cards, ms, scene) {
  const card = pick(cards, row.number);
  const text = card?.number?.text ?? "";
  const line = scene?.cards[0]?.number;
  return {
    file: row.path,
    ms,
    labelled: row.number !== "",
    checks: row.number === "" ? null : isLuhnValid(row.number),
    found: text !== "",
    right: text === row.number,
    confidence: card?.number?.confidence ?? 0,
    features: card?.number?.features ?? null,
    luhn: card?.number?.luhn ?? null,
    lengthFits: card?.number?.lengthFits ?? null,
    distance: editDistance(text, row.number),
    length: row.number.length,
    keypoints: card?.number && line ? keypointError(card.number.keypoints, line) : null,
    issuer: row.bank ? isIssuer(row, text) : null,
    expiry: dateOf(row.expiryDate, card?.expiryDate),
    issue: dateOf(row.issueDate, card?.issueDate),
    cards: cards.length,
    wanted: scene?.cards.filter((c) => c.digits).length ?? null,
    read: scene?.cards.filter((c) => c.digits && cards.some((found) => found.number?.text === c.digits)).length ?? null,
    kind: scene?.kind ?? null,
    hard: scene?.hard ?? null,
    layout: scene?.cards[0]?.layout ?? null,
    embossed: scene?.cards[0]?.embossed ?? null,
  };
}

/** The card that was meant: the one with the labelled number, else the surest. */
function pick(cards, number) {
  return (
    cards.find((card) => card.number?.text === number) ??
    [...cards].sort((a, b) => (b.number?.confidence ?? -1) - (a.number?.confidence ?? -1))[0]
  );
}

/** Whether bank and type, by the prefix that was read, are the labelled ones. */
function isIssuer({ bank, type }, digits) {
  const found = findIssuer(digits.slice(0, 10), digits.length);
  return found?.bank.name === bank && found.type === type;
}

function dateOf(truth, read) {
  if (truth === undefined) return null;
  const wanted = truth === "" ? null : `${truth.slice(5)}/${truth.slice(2, 4)}`;
  const got = read?.text ?? null;
  return {
    wanted: wanted !== null,
    got: got !== null,
    right: wanted === got,
    confidence: read?.confidence ?? 0,
    features: read?.features ?? null,
  };
}

/** Mean distance of the four corners, as a share of the line's length. */
function keypointError(found, truth) {
  const length = Math.hypot(truth[1][0] - truth[0][0], truth[1][1] - truth[0][1]);
  return found.reduce((sum, p, i) => sum + Math.hypot(p.x - truth[i][0], p.y - truth[i][1]), 0) / 4 / length;
}

function report(all) {
  const numbered = all.filter((r) => r.labelled);
  const blank = all.filter((r) => !r.labelled);
  const share = (list, test) =>
    list.length === 0 ? "-" : `${((100 * list.filter(test).length) / list.length).toFixed(2)} % of ${list.length}`;
  const digits = numbered.reduce((sum, r) => sum + r.length, 0);
  const errors = numbered.reduce((sum, r) => sum + Math.min(r.distance, r.length), 0);
  console.log(
    `numbers exact ${share(numbered, (r) => r.right)}; found ${share(numbered, (r) => r.found)}; digits ${(100 - (100 * errors) / Math.max(digits, 1)).toFixed(2)} %`,
  );
  for (const threshold of [...new Set([0.5, 0.9, 0.95, 0.99, models.settings.acceptThreshold])]) {
    const taken = all.filter((r) => r.found && r.confidence >= threshold);
    console.log(
      `  at ${threshold}: coverage ${share(numbered, (r) => r.confidence >= threshold)}, wrong ${taken.filter((r) => !r.right).length} of ${taken.length}`,
    );
  }
  if (blank.length > 0) console.log(`without number: silent ${share(blank, (r) => !r.found)}`);
  const several = all.filter((r) => r.wanted > 1);
  if (several.length > 0) {
    const sum = (key) => several.reduce((total, r) => total + r[key], 0);
    console.log(
      `pictures of several cards: ${sum("read")} of ${sum("wanted")} numbers exact, in ${several.length} pictures`,
    );
  }
  for (const field of ["expiry", "issue"]) {
    const shown = all.filter((r) => r[field]?.wanted);
    const bare = all.filter((r) => r[field] !== null && !r[field].wanted);
    if (shown.length > 0)
      console.log(
        `${field} exact ${share(shown, (r) => r[field].right)}, missed ${share(shown, (r) => !r[field].got)}; invented ${share(bare, (r) => r[field].got)}`,
      );
  }
  const listed = numbered.filter((r) => r.issuer !== null);
  if (listed.length > 0) console.log(`bank and type exact ${share(listed, (r) => r.issuer)}`);
  const points = numbered
    .map((r) => r.keypoints)
    .filter((k) => k !== null)
    .sort((a, b) => a - b);
  if (points.length > 0)
    console.log(
      `keypoints off by ${(100 * points[points.length >> 1]).toFixed(2)} % of the line at the median, p90 ${(100 * points[Math.floor(points.length * 0.9)]).toFixed(2)} %`,
    );
  console.log(`expected calibration error ${calibrationError(numbered.filter((r) => r.found)).toFixed(4)}`);
  const times = all.map((r) => r.ms).sort((a, b) => a - b);
  console.log(`ms p50 ${times[times.length >> 1].toFixed(1)} p95 ${times[Math.floor(times.length * 0.95)].toFixed(1)}`);
  for (const key of ["layout", "embossed", "kind"]) {
    const groups = Map.groupBy ? Map.groupBy(numbered, (r) => r[key]) : groupBy(numbered, (r) => r[key]);
    if (groups.size > 1)
      console.log(`${key}: ${[...groups].map(([name, list]) => `${name} ${share(list, (r) => r.right)}`).join("; ")}`);
  }
}

function groupBy(list, key) {
  const out = new Map();
  for (const item of list) out.set(key(item), [...(out.get(key(item)) ?? []), item]);
  return out;
}

function calibrationError(list) {
  const bins = Array.from({ length: 10 }, () => []);
  for (const r of list) bins[Math.min(9, Math.floor(r.confidence * 10))].push(r);
  const mean = (bin, value) => bin.reduce((sum, r) => sum + value(r), 0) / bin.length;
  return bins
    .filter((bin) => bin.length > 0)
    .reduce(
      (sum, bin) =>
        sum + (bin.length / list.length) * Math.abs(mean(bin, (r) => r.confidence) - mean(bin, (r) => Number(r.right))),
      0,
    );
}

function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

function parseCsv(text) {
  const [head, ...lines] = text
    .replace(/^\uFEFF/, "")
    .trim()
    .split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((value, i) => [names[i], value])));
}

async function readScenes(path) {
  const text = await readFile(path, "utf8").catch(() => "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}
