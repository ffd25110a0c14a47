"""Smooth random fields, the raw material of backgrounds, wear and light."""

from functools import lru_cache

import cv2
import numpy as np


def field(rng: np.random.Generator, w: int, h: int, cell: float) -> np.ndarray:
    """A smooth field (h, w) of float32 around 0.5, roughly 0..1, whose features are `cell` px wide."""
    if cell > 8:
        # Wide features need no full resolution until the last step.
        small = field(rng, w // 4 + 2, h // 4 + 2, cell / 4)
        return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
    gw, gh = max(2, int(w / cell) + 3), max(2, int(h / cell) + 3)
    grid = rng.random((gh, gw), dtype=np.float32)
    ox, oy = rng.random(2)
    m = np.array([[1 / cell, 0, ox + 0.5], [0, 1 / cell, oy + 0.5]], np.float32)
    return cv2.warpAffine(grid, m, (w, h), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT)


@lru_cache(maxsize=1)
def _grain_bank() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(1 << 22, dtype=np.float32)


def grain(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal noise of `shape`, a random stretch of a fixed bank: drawing it afresh would cost more than the card."""
    count = int(np.prod(shape))
    bank = _grain_bank()
    if count > len(bank):
        return rng.standard_normal(shape, dtype=np.float32)
    start = int(rng.integers(0, len(bank) - count + 1))
    return bank[start : start + count].reshape(shape)


def plasma(rng: np.random.Generator, w: int, h: int, cell: float, octaves: int, falloff: float = 0.5) -> np.ndarray:
    """Several fields of halving size and falling weight, scaled to 0..1."""
    out = np.zeros((h, w), np.float32)
    weight = 1.0
    for _ in range(octaves):
        out += weight * field(rng, w, h, max(cell, 1.5))
        cell, weight = cell / 2, weight * falloff
    low, high = float(out.min()), float(out.max())
    return (out - low) / max(high - low, 1e-6)


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, a smooth ramp between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
