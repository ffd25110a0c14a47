"""A window onto a card. Everything is placed in millimetres on the ISO 7810 ID-1 card and drawn at the window's scale,

so a strip around the number costs what its own pixels cost, not a whole card.
"""

from dataclasses import dataclass

import numpy as np

CARD_W, CARD_H = 85.6, 53.98


@dataclass(frozen=True)
class View:
    """`scale` px per mm; (`x0`, `y0`) the mm at the window's top-left corner; `w` x `h` px."""

    scale: float
    x0: float
    y0: float
    w: int
    h: int

    def px(self, points: np.ndarray) -> np.ndarray:
        """Millimetres on the card, shape (..., 2), to pixels of the window."""
        return (np.asarray(points, float) - (self.x0, self.y0)) * self.scale

    def sees(self, x0: float, y0: float, x1: float, y1: float) -> bool:
        """Whether a box in mm touches the window."""
        return x1 > self.x0 and y1 > self.y0 and x0 < self.x0 + self.w / self.scale and y0 < self.y0 + self.h / self.scale


def whole_card(scale: float, portrait: bool = False) -> View:
    """The window that is exactly the card."""
    w, h = (CARD_H, CARD_W) if portrait else (CARD_W, CARD_H)
    return View(scale, 0, 0, round(w * scale), round(h * scale))
