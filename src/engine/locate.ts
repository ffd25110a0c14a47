import type { Point } from "../domain/geometry.js";
import { type CellMap, type Component, findComponents, probabilities } from "./components.js";
import { fitLine, type TextLine } from "./line-fit.js";
import { type Picture, type Raster, resizeRaster } from "./picture.js";
import type { Net } from "./runtime.js";
import { type Homography, warpInto } from "./warp.js";

/** The locator sees every picture with its longer side at this many px. */
const LONG_SIDE = 384;
const CELL = 4;
/** The net draws cards this much smaller, so that neighbours stay apart. */
const SHRINK = 0.94;
const MOST_CARDS = 12;
const LEAST_CARD_CELLS = 40;

/** One card as the first look sees it; points in pixels of the picture's level 0. */
export interface CardPlace {
  /** Where the number is, or the card's middle where none was seen. */
  readonly center: Point;
  /** The axis along which the card reads, radians, growing clockwise; which way round, the second look says. */
  readonly angle: number;
  /** Corner points of the cells that are card. */
  readonly outline: readonly Point[];
  /** Length of the number line in px, or null where none was seen. */
  readonly lineLength: number | null;
}

interface Maps {
  readonly card: CellMap;
  readonly number: CellMap;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly origin: Point;
  readonly cellX: number;
  readonly cellY: number;
}

/** A part of a picture, in pixels of level 0; it may reach over the edge. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Finds the cards of a picture.
 * @param locator the net of `models/locator.onnx`
 * @param box where to look; everywhere when null
 */
export async function locateCards(locator: Net, picture: Picture, box: Box | null = null): Promise<CardPlace[]> {
  const maps = await drawMaps(locator, picture, box);
  const cards = findComponents(maps.card, 0.5, LEAST_CARD_CELLS * 0.5);
  const lines = findComponents(maps.number, 0.3, 4);
  const places: CardPlace[] = [];
  const used = new Set<Component>();
  for (const line of lines) {
    const card = cardOf(maps.card, line, cards);
    if (card !== undefined && used.has(card)) continue;
    if (card !== undefined) used.add(card);
    places.push(placeOfLine(maps, line, card));
  }
  for (const card of cards) {
    if (!used.has(card)) places.push(placeOfCard(maps, card));
  }
  return places.slice(0, MOST_CARDS);
}

async function drawMaps(locator: Net, picture: Picture, box: Box | null): Promise<Maps> {
  const [full] = picture.levels;
  if (full === undefined) throw new Error("a picture without pixels");
  const seen = box ?? { left: 0, top: 0, width: full.width, height: full.height };
  const scale = LONG_SIDE / Math.max(seen.width, seen.height);
  const width = Math.max(32, Math.round((seen.width * scale) / 32) * 32);
  const height = Math.max(32, Math.round((seen.height * scale) / 32) * 32);
  const input = box === null ? await wholeAt(picture, full, width, height) : partAt(picture, box, width, height);
  const { data } = await locator.run(input, [1, 3, height, width]);
  const [w, h] = [width / CELL, height / CELL];
  const size = w * h;
  return {
    card: probabilities(data, 0, w, h),
    number: probabilities(data, 1, w, h),
    cos: data.subarray(2 * size, 3 * size),
    sin: data.subarray(3 * size, 4 * size),
    origin: { x: seen.left, y: seen.top },
    cellX: seen.width / w,
    cellY: seen.height / h,
  };
}

async function wholeAt(picture: Picture, full: Raster, width: number, height: number): Promise<Float32Array> {
  return planes(await resizeRaster(smallestOver(picture.levels, width, height) ?? full, width, height));
}

function partAt(picture: Picture, box: Box, width: number, height: number): Float32Array {
  const out = new Float32Array(3 * width * height);
  const matrix: Homography = [box.width / width, 0, box.left, 0, box.height / height, box.top, 0, 0, 1];
  warpInto(out, 0, picture, { matrix, width, height });
  return out;
}

/** The smallest level that still has every pixel the net will see. */
function smallestOver(levels: readonly Raster[], width: number, height: number): Raster | undefined {
  return levels.filter((level) => level.width >= width && level.height >= height).at(-1);
}

function planes(raster: Raster): Float32Array {
  const size = raster.width * raster.height;
  const out = new Float32Array(size * 3);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < 3; k++) out[k * size + i] = raster.data[i * 3 + k] ?? 0;
  }
  return out;
}

/** The card that holds most of a line's cells. */
function cardOf(map: CellMap, line: Component, cards: readonly Component[]): Component | undefined {
  const votes = new Map<Component, number>();
  const owner = new Map<number, Component>();
  for (const card of cards) for (const cell of card.cells) owner.set(cell, card);
  for (const cell of line.cells) {
    const card = owner.get(cell);
    if (card !== undefined) votes.set(card, (votes.get(card) ?? 0) + (map.data[cell] ?? 0));
  }
  return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0];
}

/** The net gives twice the angle: upright and upside down look alike at this size. */
function directionOver(maps: Maps, cells: readonly number[]): number {
  let cos = 0;
  let sin = 0;
  for (const cell of cells) {
    cos += maps.cos[cell] ?? 0;
    sin += maps.sin[cell] ?? 0;
  }
  return Math.atan2(sin, cos) / 2;
}

/** A direction seen in cells, in a picture whose cells may be stretched. */
function unstretched(maps: Maps, angle: number): number {
  return Math.atan2(Math.sin(angle) * maps.cellY, Math.cos(angle) * maps.cellX);
}

function placeOfLine(maps: Maps, line: Component, card: Component | undefined): CardPlace {
  const rough = directionOver(maps, card?.cells ?? line.cells);
  const fitted = fitLine(maps.number, line, rough);
  const long = fitted.length > 3.5 * fitted.height;
  const angle = unstretched(maps, long ? fitted.angle : rough);
  const center = toPicture(maps, fitted.center);
  const outline = card === undefined ? [] : outlineOf(maps, card);
  return { center, angle, outline, lineLength: lengthInPicture(maps, fitted) };
}

function placeOfCard(maps: Maps, card: Component): CardPlace {
  const outline = outlineOf(maps, card);
  const center = meanOf(outline);
  return { center, angle: unstretched(maps, directionOver(maps, card.cells)), outline, lineLength: null };
}

function toPicture(maps: Maps, point: Point): Point {
  return { x: maps.origin.x + point.x * maps.cellX, y: maps.origin.y + point.y * maps.cellY };
}

function lengthInPicture(maps: Maps, line: TextLine): number {
  const dx = Math.cos(line.angle) * line.length * maps.cellX;
  const dy = Math.sin(line.angle) * line.length * maps.cellY;
  return Math.hypot(dx, dy);
}

/** The middle of points; the origin where there are none. */
export function meanOf(points: readonly Point[]): Point {
  const sum = points.reduce((a, p) => ({ x: a.x + p.x, y: a.y + p.y }), { x: 0, y: 0 });
  return { x: sum.x / Math.max(points.length, 1), y: sum.y / Math.max(points.length, 1) };
}

/** The card's cells as points, grown back to the card's own size about their middle. */
function outlineOf(maps: Maps, card: Component): Point[] {
  const { width } = maps.card;
  const points = card.cells.map((cell) =>
    toPicture(maps, { x: (cell % width) + 0.5, y: Math.floor(cell / width) + 0.5 }),
  );
  const middle = meanOf(points);
  const grow = 1 / SHRINK;
  return points.map((p) => ({ x: middle.x + (p.x - middle.x) * grow, y: middle.y + (p.y - middle.y) * grow }));
}
