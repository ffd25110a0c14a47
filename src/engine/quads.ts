/** Quads of text lines and of the cards they are printed on, in pixels of one picture. */
import type { Point, Quad } from "../domain/geometry.js";

/** 1 over the cosine squared of the most that characters are taken to lean, 40 degrees. */
const STEEPEST = 1 / Math.cos((40 * Math.PI) / 180) ** 2;

/** The quad of the same text read the other way. */
export function reversed([a, b, c, d]: Quad): Quad {
  return [c, d, a, b];
}

/** The quad with `ends` more at either end, `height` more in all above and below, and moved `down`, in its own heights. */
export function regrown(quad: Quad, ends: number, height: number, down: number): Quad {
  const [a, b, c, d] = quad;
  const [dx, dy] = [(d.x - a.x + c.x - b.x) / 2, (d.y - a.y + c.y - b.y) / 2];
  const [lx, ly] = [b.x - a.x + c.x - d.x, b.y - a.y + c.y - d.y];
  // Along the line, as long as it is high: its ends may lean.
  const share = (lx * dy - ly * dx) / Math.max(lx * lx + ly * ly, 1e-9);
  const [ux, uy] = [lx * share, ly * share];
  const corner = (p: Point, along: number, below: number): Point => ({
    x: p.x + ux * along + dx * below,
    y: p.y + uy * along + dy * below,
  });
  const [up, low] = [down - height / 2, down + height / 2];
  return [corner(a, -ends, up), corner(b, ends, up), corner(c, ends, low), corner(d, -ends, low)];
}

/**
 * The line with its ends as the card's own sides stand there: seen at a slant, characters lean, which a mask a few cells
 * high does not show, and the card does.
 */
export function leaning(line: Quad, card: Quad): Quad {
  const [a, b, c, d] = line;
  const end = (upper: Point, lower: Point): [Point, Point] => {
    const middle = { x: (upper.x + lower.x) / 2, y: (upper.y + lower.y) / 2 };
    const [ux, uy] = downAt(card, middle);
    const [vx, vy] = [(lower.x - upper.x) / 2, (lower.y - upper.y) / 2];
    const square = vx * vx + vy * vy;
    // As far down as before, measured across the line.
    const scale = square / (ux * vx + uy * vy);
    if (!(scale > 0) || scale * scale > STEEPEST * square) return [upper, lower];
    return [
      { x: middle.x - ux * scale, y: middle.y - uy * scale },
      { x: middle.x + ux * scale, y: middle.y + uy * scale },
    ];
  };
  const [topLeft, bottomLeft] = end(a, d);
  const [topRight, bottomRight] = end(b, c);
  return [topLeft, topRight, bottomRight, bottomLeft];
}

/** The direction, of length 1, from a card's upper side to its lower at a point: between those of its left and right sides. */
function downAt([a, b, c, d]: Quad, { x, y }: Point): [number, number] {
  const unit = (p: Point, q: Point): [number, number] => {
    const length = Math.hypot(q.x - p.x, q.y - p.y);
    return [(q.x - p.x) / length, (q.y - p.y) / length];
  };
  const [left, right] = [unit(a, d), unit(b, c)];
  const fromLeft = (x - a.x) * left[1] - (y - a.y) * left[0];
  const fromRight = (b.x - x) * right[1] - (b.y - y) * right[0];
  const share = Math.min(1, Math.max(0, fromLeft / (fromLeft + fromRight)));
  const [u, v] = [left[0] * (1 - share) + right[0] * share, left[1] * (1 - share) + right[1] * share];
  return [u / Math.hypot(u, v), v / Math.hypot(u, v)];
}

/** Whether two lines are the same text: the middle of either lies on it, though one of them may have been cut. */
export function sameLine(a: Quad, b: Quad): boolean {
  const middle = (q: Quad): Point => ({ x: (q[0].x + q[2].x) / 2, y: (q[0].y + q[2].y) / 2 });
  const [p, q] = [middle(a), middle(b)];
  const [lx, ly] = [a[1].x - a[0].x, a[1].y - a[0].y];
  const length = Math.hypot(lx, ly);
  const along = Math.abs((q.x - p.x) * lx + (q.y - p.y) * ly) / length;
  const across = Math.abs((q.x - p.x) * ly - (q.y - p.y) * lx) / length;
  const longer = Math.max(length, Math.hypot(b[1].x - b[0].x, b[1].y - b[0].y));
  return along < longer / 2 && across < Math.hypot(a[3].x - a[0].x, a[3].y - a[0].y) / 2;
}
