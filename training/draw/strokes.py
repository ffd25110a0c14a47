"""A stroke font for embossed digits, in the manner of Farrington 7B, which no free font package holds.

Each digit is a few pen paths in a unit box (x to the right 0..1, y down 0..1) with a rounding radius at each corner,
a share of the glyph's width. Several shapes per digit are kept: embossers differ, and so do their worn wheels.
"""

from dataclasses import dataclass, replace

import numpy as np

Path = list[tuple[float, float, float]]


@dataclass(frozen=True)
class StrokeStyle:
    """One embosser's wheel: which shape each digit has, and the proportions common to all.

    `bend` is how far corners stand from where the shape has them, as a share of the glyph (0: as designed); `key` seeds which way.
    """

    shapes: dict[str, int]
    mid: float
    radius: float
    waist: float
    slant: float
    pen: float
    width: float
    bend: float = 0.0
    key: int = 0


def _zero(s: StrokeStyle, r: float) -> list[list[Path]]:
    box = [(0, 0, r), (1, 0, r), (1, 1, r), (0, 1, r), (0, 0, r)]
    slim = [(0.08, 0, r), (0.92, 0, r), (0.92, 1, r), (0.08, 1, r), (0.08, 0, r)]
    return [[box], [slim]]


def _one(s: StrokeStyle, r: float) -> list[list[Path]]:
    flag = [(0.2, 0.02, 0), (0.55, 0.0, 0.1), (0.55, 1, 0)]
    tick = [(0.2, 0.2, 0), (0.55, 0, 0), (0.55, 1, 0)]
    stem = [(0.5, 0, 0), (0.5, 1, 0)]
    foot = [(0.15, 1, 0), (0.95, 1, 0)]
    hook = [(0.1, 0, 0), (0.5, 0, 0), (0.5, 1, 0), (1, 1, 0), (1, 0.82, 0)]
    return [[flag, foot], [flag], [tick], [tick, foot], [stem], [hook]]


def _two(s: StrokeStyle, r: float) -> list[list[Path]]:
    m = s.mid
    square = [(0, 0, 0), (1, 0, r), (1, m, r), (0, m, r), (0, 1, 0), (1, 1, 0)]
    swan = [(0, 0.22, 0), (0, 0, r), (1, 0, r), (1, 0.42, r), (0, 1, 0), (1, 1, 0)]
    hooked = [(0.02, 0.14, 0), (0.1, 0, 0.2), (1, 0, r), (1, m, r), (0, m + 0.12, r), (0, 1, 0), (1, 1, 0)]
    return [[square], [swan], [hooked]]


def _three(s: StrokeStyle, r: float) -> list[list[Path]]:
    m, w = s.mid, s.waist
    square = [[(0.02, 0, 0), (1 - w, 0, r), (1 - w, m, 0.1), (0.3, m, 0)], [(1 - w, m, 0), (1, m, r), (1, 1, r), (0, 1, 0)]]
    flat = [[(0, 0, 0), (1, 0, 0), (0.42, 0.4, 0), (1, 0.42, r), (1, 1, r), (0, 1, 0)]]
    bumps = [[(0, 0.1, 0), (0.1, 0, 0.2), (0.95, 0, r), (0.95, m, r), (0.35, m, 0)], [(0.6, m, 0), (1, m, r), (1, 1, r), (0.1, 1, 0.2), (0, 0.9, 0)]]
    return [square, bumps, flat]


def _four(s: StrokeStyle, r: float) -> list[list[Path]]:
    bar = 0.62 + 0.1 * (s.mid - 0.48)
    # Both uprights begin at the top and the bar runs past the right one: easily taken for a 9.
    crossed = [[(0.08, 0, 0), (0.0, bar, 0.12), (1, bar, 0)], [(0.68, 0.06, 0), (0.68, 1, 0)]]
    opened = [[(0.1, 0, 0), (0.0, 0.66, 0.1), (1, 0.66, 0)], [(0.72, 0.36, 0), (0.72, 1, 0)]]
    fork = [[(0.02, 0.02, 0), (0.02, bar, 0.15), (1, bar, 0)], [(0.62, 0.22, 0), (0.62, 1, 0)]]
    upright = [[(0.05, 0, 0), (0.05, 0.6, 0), (1, 0.6, 0)], [(0.8, 0.3, 0), (0.8, 1, 0)]]
    closed = [[(0.72, 1, 0), (0.72, 0, 0), (0, 0.7, 0), (1, 0.7, 0)]]
    segment = [[(0, 0, 0), (0, 0.55, 0.1), (1, 0.55, 0)], [(1, 0, 0), (1, 1, 0)]]
    return [crossed, fork, opened, closed, upright, segment]


def _five(s: StrokeStyle, r: float) -> list[list[Path]]:
    m = s.mid
    square = [[(0.98, 0, 0), (0, 0, 0.05), (0, m, 0.05), (1, m, r), (1, 1, r), (0, 1, 0)]]
    soft = [[(0.92, 0, 0), (0.1, 0, 0), (0.04, m - 0.03, 0), (1, m - 0.06, r), (1, 1, r), (0.06, 1, 0.2), (0, 0.88, 0)]]
    return [square, soft]


def _six(s: StrokeStyle, r: float) -> list[list[Path]]:
    m = s.mid - 0.04
    like_b = [[(0, 0, 0), (0, 1, r), (1, 1, r), (1, m, r), (0, m, 0)]]
    hooked = [[(0.85, 0, 0), (0, 0, r), (0, 1, r), (1, 1, r), (1, m, r), (0, m, 0)]]
    leaning = [[(0.55, 0, 0), (0, 0.55, 0.3), (0, 1, r), (1, 1, r), (1, m + 0.04, r), (0.05, m + 0.04, 0)]]
    return [like_b, hooked, leaning]


def _seven(s: StrokeStyle, r: float) -> list[list[Path]]:
    serif = [[(0, 0.18, 0), (0, 0, 0), (1, 0, 0.05), (1, 0.3, 0.2), (0.42, 0.62, 0.2), (0.42, 1, 0)]]
    plain = [[(0, 0, 0), (1, 0, 0), (0.35, 1, 0)]]
    square = [[(0, 0, 0), (1, 0, r), (1, 1, 0)]]
    bent = [[(0, 0, 0), (1, 0, 0), (1, 0.22, 0.1), (0.4, 0.6, 0.3), (0.4, 1, 0)]]
    cornered = [[(0, 0.12, 0), (0, 0, 0), (1, 0, 0.08), (0.96, 1, 0)]]
    return [square, cornered, serif, plain, bent]


def _eight(s: StrokeStyle, r: float) -> list[list[Path]]:
    m, w = s.mid - 0.02, s.waist
    upper = [(w, 0, r), (1 - w, 0, r), (1 - w, m, r), (w, m, r), (w, 0, r)]
    lower = [(0, m, r), (1, m, r), (1, 1, r), (0, 1, r), (0, m, r)]
    even = [(0.04, 0, r), (0.96, 0, r), (0.96, m, r), (0.04, m, r), (0.04, 0, r)]
    return [[upper, lower], [even, lower]]


def _nine(s: StrokeStyle, r: float) -> list[list[Path]]:
    m = 1.04 - s.mid
    like_q = [[(1, 1, 0), (1, 0, r), (0, 0, r), (0, m, r), (1, m, 0)]]
    hooked = [[(0.15, 1, 0), (1, 1, r), (1, 0, r), (0, 0, r), (0, m, r), (1, m, 0)]]
    leaning = [[(0.45, 1, 0), (1, 0.45, 0.3), (1, 0, r), (0, 0, r), (0, m - 0.04, r), (0.95, m - 0.04, 0)]]
    return [like_q, hooked, leaning]


def _slash(s: StrokeStyle, r: float) -> list[list[Path]]:
    return [[[(0.05, 1, 0), (0.95, 0, 0)]], [[(0.2, 1.05, 0), (0.8, -0.05, 0)]]]


# Weights of start, corner and end along a quadratic curve.
_T = np.linspace(0, 1, 6)
BEND = np.stack([(1 - _T) ** 2, 2 * _T * (1 - _T), _T**2], 1)

GLYPHS = dict(zip("0123456789/", (_zero, _one, _two, _three, _four, _five, _six, _seven, _eight, _nine, _slash), strict=True))

# The last shape of these digits is kept out of training, so that the hold-out shows wheels never seen.
RESERVED = {"1", "2", "3", "4", "7"}


def stroke_style(rng: np.random.Generator, holdout: bool = False) -> StrokeStyle:
    """Draws a wheel. With `holdout`, half of the digits that have a reserved shape use it; without, none does."""
    draft = StrokeStyle({}, 0.5, 0.4, 0.1, 0.0, 0.15, 0.62)
    shapes = {}
    for char, glyph in GLYPHS.items():
        count = len(glyph(draft, 0.4))
        known = count - (char in RESERVED)
        # The first shapes are the usual ones: the index is drawn with a falling weight.
        shapes[char] = int(known * rng.random() ** 1.5)
        if holdout and char in RESERVED and rng.random() < 0.5:
            shapes[char] = count - 1
    return StrokeStyle(
        shapes=shapes,
        mid=rng.uniform(0.42, 0.54),
        radius=rng.uniform(0.12, 0.5),
        waist=rng.uniform(0.0, 0.16),
        slant=rng.normal(0, 0.02) if rng.random() < 0.8 else rng.uniform(0, 0.2),
        pen=rng.uniform(0.1, 0.19),
        width=rng.uniform(0.48, 0.68),
    )


def bent(rng: np.random.Generator, style: StrokeStyle) -> StrokeStyle:
    """The wheel of an embosser who drew every digit otherwise."""
    return replace(style, bend=0.055 * rng.random(), key=int(rng.integers(1 << 31)))


def _redrawn(paths: list[Path], bend: float, rng: np.random.Generator) -> list[Path]:
    """The paths with what stands left or right, high or low pushed over, corners moved, and bars cut short."""
    across, down = np.exp(rng.normal(0, (16 * bend, 5 * bend)))

    def moved(x: float, y: float) -> tuple[float, float]:
        dx, dy = rng.normal(0, bend, 2)
        warped = float(np.clip(x, 0, 1) ** across), float(np.clip(y, 0, 1) ** down)
        return float(np.clip(warped[0] + dx, -0.03, 1.03)), float(np.clip(warped[1] + dy, -0.03, 1.03))

    return [_clipped([(*moved(x, y), r) for x, y, r in path], path[0][:2] == path[-1][:2], bend, rng) for path in paths]


def _clipped(path: Path, closed: bool, bend: float, rng: np.random.Generator) -> Path:
    if closed:
        return [*path[:-1], (*path[0][:2], path[-1][2])]
    out = list(path)
    for end, inner in ((0, 1), (-1, -2)):
        x, y, r = out[end]
        if abs(out[inner][0] - x) > abs(out[inner][1] - y):
            # Bars and feet alone, and by half at most: no digit becomes another.
            out[end] = x + (out[inner][0] - x) * min(0.5, abs(rng.normal(0, 5 * bend))), y, r
    return out


def _rounded(path: Path, size: np.ndarray, width: float) -> np.ndarray:
    """Corners of a pen path replaced by short curves; result in the units of `size`."""
    points = np.array([(x, y) for x, y, _ in path], float) * size
    closed = len(path) > 2 and path[0][:2] == path[-1][:2]
    radii = np.array([r for _, _, r in path]) * width
    out = []
    count = len(points) - 1 if closed else len(points)
    for i in range(count):
        here, radius = points[i], radii[i]
        if radius <= 0 or (not closed and i in (0, count - 1)):
            out.append(here[None])
            continue
        before, after = points[i - 1 if i else count - 1], points[(i + 1) % len(points)]
        before_len, after_len = np.linalg.norm(before - here), np.linalg.norm(after - here)
        reach = min(radius, before_len * 0.5, after_len * 0.5)
        start = here + (before - here) * (reach / max(before_len, 1e-6))
        end = here + (after - here) * (reach / max(after_len, 1e-6))
        out.append(BEND @ np.stack([start, here, end]))
    line = np.concatenate(out)
    return np.concatenate([line, line[:1]]) if closed else line


def stroke_paths(style: StrokeStyle, char: str, width: float, height: float) -> list[np.ndarray]:
    """The pen's centre lines for one digit or slash in a box of `width` x `height`, pen half inside the edge."""
    pen = style.pen * height
    shape = GLYPHS[char](style, style.radius)[style.shapes[char]]
    if style.bend:
        shape = _redrawn(shape, style.bend, np.random.default_rng([style.key, ord(char)]))
    inner = np.array([width - pen, height - pen])
    lines = []
    for path in shape:
        line = _rounded(path, inner, width) + pen / 2
        line[:, 0] += style.slant * (height / 2 - line[:, 1])
        lines.append(line)
    return lines
