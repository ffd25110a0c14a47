"""Whether a person could read what was drawn. Decided by how it was drawn, never by what an engine made of it.

The hold-out shows legible cards alone; what is not belongs to the degraded set. See `training/README.md`.
"""

from itertools import pairwise

import cv2
import numpy as np

from .runs import Run
from .view import View

# A glyph must stand out by this from what is behind it (see `glyph_clarity`); under it people began to guess.
LEAST_GLYPH_CLARITY = 2.0
# In the finished picture: height of the glyphs in px, and how far their brightness spreads, of 255.
LEAST_NUMBER_PX, LEAST_DATE_PX = 14, 10
LEAST_SPREAD = 10
# How bad lens and light may be, of 1.
MOST_HARD = 0.35


class Illegible(Exception):
    """A run cannot be painted so that every glyph stands out on this surface: the card has to be drawn anew."""


def glyph_clarity(bare: np.ndarray, painted: np.ndarray, mask: np.ndarray, run: Run, view: View, corner: tuple[int, int]) -> float:
    """How far the least clear glyph of a run stands out: the change that its ink makes over the unrest of what is behind it.

    `corner` is the (column, row) of the view at which the three arrays begin. Ink that is worn off makes no change: of each glyph the worst third counts, upper, middle or lower.
    """
    change = np.abs(painted - bare).max(2)
    gray = bare.mean(2)
    height = run.height * view.scale
    unrest = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), max(0.2 * height, 1.0)))
    worst = np.inf
    rows = np.linspace(view.px((0, run.y))[1], view.px((0, run.y + run.height))[1], 4).round().astype(int) - corner[1]
    for _, x, width in run.slots():
        (first, _), (last, _) = view.px([(x, 0), (x + width, 0)])
        columns = slice(max(0, int(first) - corner[0]), max(1, int(np.ceil(last)) - corner[0]))
        for upper, lower in pairwise(rows.clip(0)):
            part = slice(upper, lower), columns
            if mask[part].sum() < 1:
                continue
            strength = change[part].sum() / mask[part].sum()
            worst = min(worst, float(strength / (0.05 + 2 * np.sqrt((unrest[part] ** 2).mean()))))
    return worst


def is_legible(image: np.ndarray, quad: np.ndarray, least_px: float, glyphs: int) -> bool:
    """Whether a line in the finished picture (uint8 BGR) is high enough, and no part of it drowned in light or dark."""
    tall = min(np.linalg.norm(quad[3] - quad[0]), np.linalg.norm(quad[2] - quad[1]))
    if tall < least_px:
        return False
    size = (glyphs * 16, 24)
    corners = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.float32)
    line = cv2.warpPerspective(image, cv2.getPerspectiveTransform(quad.astype(np.float32), corners), size, flags=cv2.INTER_AREA)
    gray = line.mean(2)
    return min(part.std() for part in np.array_split(gray, max(1, glyphs // 2), axis=1)) >= LEAST_SPREAD
