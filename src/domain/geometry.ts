/** A point in pixels of the page as it is displayed (EXIF orientation applied); x to the right, y down. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Four corners, clockwise from the text's (or card's) own top-left. */
export type Quad = readonly [Point, Point, Point, Point];
