"""Runs of text on a card: where each glyph stands, and the coverage mask of the whole run."""

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .fonts import font
from .strokes import StrokeStyle, stroke_paths
from .view import View

REFERENCE_EM = 200


@lru_cache(maxsize=None)
def face_metrics(path: str) -> tuple[float, float, dict[str, float]]:
    """(top, height) of the digits and the advance of each character, in ems."""
    face = font(path, REFERENCE_EM)
    box = face.getbbox("0358")
    advances = {c: face.getlength(c) / REFERENCE_EM for c in "0123456789/ "}
    return box[1] / REFERENCE_EM, (box[3] - box[1]) / REFERENCE_EM, advances


@dataclass(frozen=True)
class Run:
    """`text` of digits, slashes and spaces whose glyph box begins at (`x`, `y`) mm and is `height` mm high.

    `face` is a stroke style or the path of a font face. `pitch` (mm) is the fixed advance, or None for the face's own
    plus `spacing` (mm); `gap` is the width of a space in mm. `wobble` holds a (dx, dy) in mm for each character.
    """

    text: str
    x: float
    y: float
    height: float
    face: StrokeStyle | str
    pitch: float | None
    spacing: float
    gap: float
    wobble: np.ndarray = field(repr=False)

    def slots(self) -> list[tuple[str, float, float]]:
        """(character, left edge mm, width mm) for each glyph that leaves a mark."""
        out, at = [], self.x
        for char in self.text:
            width = self._glyph_width(char)
            if char == " ":
                at += self.gap
                continue
            step = self.pitch if self.pitch is not None else width + self.spacing
            out.append((char, at + ((self.pitch - width) / 2 if self.pitch is not None else 0), width))
            at += step
        return out

    def _glyph_width(self, char: str) -> float:
        if isinstance(self.face, StrokeStyle):
            return self.face.width * self.height
        _, tall, advances = face_metrics(self.face)
        return advances[char] * self.height / tall

    def box(self) -> tuple[float, float, float, float]:
        """The tight box (x0, y0, x1, y1) in mm."""
        slots = self.slots()
        return slots[0][1], self.y, slots[-1][1] + slots[-1][2], self.y + self.height


def run_mask(run: Run, view: View, margin: float) -> tuple[np.ndarray, slice, slice] | None:
    """Coverage 0..1 of the run with `margin` mm around it, and the rows and columns of the window that it covers.

    None when the run lies outside the window.
    """
    x0, y0, x1, y1 = run.box()
    x0, y0, x1, y1 = x0 - margin, y0 - margin, x1 + margin, y1 + margin
    if not view.sees(x0, y0, x1, y1):
        return None
    (left, top), (right, bottom) = view.px([(x0, y0), (x1, y1)])
    c0, c1 = max(0, int(left)), min(view.w, int(right) + 1)
    r0, r1 = max(0, int(top)), min(view.h, int(bottom) + 1)
    if c1 - c0 < 2 or r1 - r0 < 2:
        return None
    more = int(np.clip(round(44 / max(run.height * view.scale, 4)), 1, 4))
    fine = View(view.scale * more, view.x0 + c0 / view.scale, view.y0 + r0 / view.scale, (c1 - c0) * more, (r1 - r0) * more)
    draw = _stroke_mask if isinstance(run.face, StrokeStyle) else _font_mask
    mask = draw(run, fine)
    if more > 1:
        mask = cv2.resize(mask, (c1 - c0, r1 - r0), interpolation=cv2.INTER_AREA)
    return mask.astype(np.float32) * (1 / 255), slice(r0, r1), slice(c0, c1)


def _stroke_mask(run: Run, view: View) -> np.ndarray:
    mask = np.zeros((view.h, view.w), np.uint8)
    pen = max(1, round(run.face.pen * run.height * view.scale))
    lines, known = [], {}
    for (char, x, width), (dx, dy) in zip(run.slots(), run.wobble, strict=False):
        if char not in known:
            known[char] = stroke_paths(run.face, char, width, run.height)
        for path in known[char]:
            lines.append(np.round(view.px(path + (x + dx, run.y + dy)) * 16).astype(np.int32))
    cv2.polylines(mask, lines, False, 255, pen, cv2.LINE_AA, 4)
    return mask


def _font_mask(run: Run, view: View) -> np.ndarray:
    top, tall, _ = face_metrics(run.face)
    em = run.height / tall
    size = max(4, round(em * view.scale))
    # Integer em sizes: the rest of the scale is taken up by where the glyphs stand, a fraction of a pixel at worst.
    face = font(run.face, size)
    image = Image.new("L", (view.w, view.h))
    draw = ImageDraw.Draw(image)
    for (char, x, _), (dx, dy) in zip(run.slots(), run.wobble, strict=False):
        left, up = view.px((x + dx, run.y + dy - top * em))
        draw.text((left, up), char, fill=255, font=face)
    return np.asarray(image)
