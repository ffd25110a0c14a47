"""Paints a planned card, or the part of it that a window shows."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from . import art
from .fonts import faces, font
from .ink import emboss_ink, flat_ink, paint
from .layout import Label, Plan
from .legible import LEAST_GLYPH_CLARITY, Illegible, glyph_clarity
from .runs import Run, run_mask
from .strokes import StrokeStyle
from .view import View

MARGIN_MM = 1.2
LEAST_CLARITY = 2.0


@dataclass(frozen=True)
class Boxes:
    """Tight boxes in mm on the card: (x0, y0, x1, y1)."""

    number: tuple[float, float, float, float] | None
    dates: tuple[tuple[str, tuple[float, float, float, float]], ...]


def boxes(plan: Plan) -> Boxes:
    """Where the number and the dates of a plan stand."""
    number = None if plan.blank else plan.number_run.box()
    return Boxes(number, tuple((line.kind, line.run.box()) for line in plan.dates))


def paint_card(rng: np.random.Generator, plan: Plan, view: View, least_clarity: float = LEAST_CLARITY, legible: bool = False) -> np.ndarray:
    """The card as the window shows it: float32 BGR 0..1, shape (view.h, view.w, 3).

    Number and dates are painted anew until they stand out by `least_clarity` (see `clarity`); where everything has to be
    `legible`, until every single glyph does.

    Raises `Illegible` when that cannot be had on this surface.
    """
    image = art.background(rng, view)
    light = rng.uniform(0, 2 * np.pi)
    if plan.band:
        _band(rng, image, view, plan.band)
    if plan.stripe is not None:
        _box(image, view, (0, plan.stripe, plan.size[0], plan.stripe + 11), np.full(3, rng.uniform(0.02, 0.15)), 1.0)
    if plan.chip:
        _chip(rng, image, view, plan.chip)
    if plan.network:
        _network(rng, image, view, plan.network)
    label_color = None
    for label in plan.labels:
        if label.emboss:
            continue
        label_color = _label(rng, image, view, label, label_color)
    ink = None
    paint_run = _legible_run if legible else _run
    if not plan.blank:
        ink = paint_run(rng, image, view, plan.number_run, plan.embossed, light, None, least_clarity)
    for line in plan.dates:
        same = ink if rng.random() < 0.85 else None
        ink = paint_run(rng, image, view, line.run, plan.embossed, light, same, least_clarity) or ink
    for label in plan.labels:
        if label.emboss:
            _embossed_label(rng, image, view, label, light, ink)
    if rng.random() < 0.15:
        _scratches(rng, image, view)
    return image


def _run(rng, image, view, run, embossed, light, ink, least_clarity):
    found = run_mask(run, view, MARGIN_MM)
    if found is None:
        return ink
    mask, rows, cols = found
    part = image[rows, cols]
    bare = part.copy()
    # Cards are made to be read: faint ink is tried again, but now and then a worn card stays as it is.
    tries = 1 if rng.random() < 0.03 else 6
    for _ in range(tries):
        if ink is None:
            behind = bare.reshape(-1, 3).mean(0)
            ink = emboss_ink(rng, light, float(behind.mean())) if embossed else flat_ink(rng, light, behind)
        part[:] = bare
        paint(part, mask, view.scale, pen_mm(run), ink, rng)
        used = ink
        if clarity(bare, part, mask, run.height * view.scale) > least_clarity:
            break
        ink = None
    return used


def _legible_run(rng, image, view, run, embossed, light, ink, _least_clarity):
    """As `_run`, but no glyph may stay unclear."""
    mask, rows, cols = run_mask(run, view, MARGIN_MM)
    part = image[rows, cols]
    bare = part.copy()
    for _ in range(8):
        if ink is None:
            behind = bare.reshape(-1, 3).mean(0)
            ink = emboss_ink(rng, light, float(behind.mean())) if embossed else flat_ink(rng, light, behind)
        part[:] = bare
        paint(part, mask, view.scale, pen_mm(run), ink, rng)
        if glyph_clarity(bare, part, mask, run, view, (cols.start, rows.start)) > LEAST_GLYPH_CLARITY:
            return ink
        ink = None
    raise Illegible


def clarity(bare: np.ndarray, painted: np.ndarray, mask: np.ndarray, height_px: float) -> float:
    """How far the text stands out: the change it makes where it lies, over the unrest of what is behind it."""
    change = np.abs(painted - bare).max(2)
    strength = float(change.sum() / max(mask.sum(), 1.0))
    gray = bare.mean(2)
    unrest = float((gray - cv2.GaussianBlur(gray, (0, 0), max(0.2 * height_px, 1.0))).std())
    return strength / (0.05 + 2 * unrest)


def pen_mm(run: Run) -> float:
    """The width of a run's strokes; for fonts a guess that holds for medium weights."""
    return (run.face.pen if isinstance(run.face, StrokeStyle) else 0.15) * run.height


def _label_mask(view: View, label: Label) -> tuple[np.ndarray, slice, slice] | None:
    """Coverage of printed text, as run_mask gives it for runs."""
    lines = label.text.split("\n")
    width = max(len(line) for line in lines) * label.height * 1.8
    tall = label.height * 1.5 * len(lines)
    if not view.sees(label.x - 0.5, label.y - 1, label.x + width, label.y + tall):
        return None
    (left, top), (right, bottom) = view.px([(label.x - 0.3, label.y - 0.6), (label.x + width, label.y + tall)])
    c0, c1, r0, r1 = max(0, int(left)), min(view.w, int(right) + 1), max(0, int(top)), min(view.h, int(bottom) + 1)
    if c1 - c0 < 2 or r1 - r0 < 2:
        return None
    face = font(label.face, max(4, round(label.height * view.scale / 0.72)))
    picture = Image.new("L", (c1 - c0, r1 - r0))
    draw = ImageDraw.Draw(picture)
    x, y = view.px((label.x, label.y))
    for i, line in enumerate(lines):
        draw.text((x - c0, y - r0 - 0.28 * label.height * view.scale + i * label.height * 1.25 * view.scale), line, fill=255, font=face)
    return np.asarray(picture, np.float32) / 255, slice(r0, r1), slice(c0, c1)


def _label(rng, image, view, label, color):
    found = _label_mask(view, label)
    if found is None:
        return color
    mask, rows, cols = found
    part = image[rows, cols]
    if color is None or rng.random() < 0.15:
        behind = part.reshape(-1, 3).mean()
        color = np.full(3, 0.95 if behind < 0.5 else 0.06, np.float32) if rng.random() < 0.8 else rng.random(3).astype(np.float32)
    part += mask[..., None] * rng.uniform(0.7, 1.0) * (color.astype(np.float32) - part)
    return color


def _embossed_label(rng, image, view, label, light, ink):
    found = _label_mask(view, label)
    if found is None:
        return
    mask, rows, cols = found
    part = image[rows, cols]
    ink = ink if ink is not None and ink.embossed else emboss_ink(rng, light, float(part.mean()))
    paint(part, mask, view.scale, 0.16 * label.height, ink, rng)


def _box(image, view, box, color, alpha):
    (x0, y0), (x1, y1) = view.px([box[:2], box[2:]]).round().astype(int)
    part = image[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    part += np.float32(alpha) * (np.asarray(color, np.float32) - part)


def _band(rng, image, view, band):
    y, tall = band
    bright = rng.choice((rng.uniform(0.6, 1), rng.uniform(0, 0.3)))
    _box(image, view, (0, y, 90, y + tall), np.full(3, bright) + rng.normal(0, 0.03, 3), rng.uniform(0.4, 1))


def _chip(rng, image, view, at):
    x, y = at
    w, h = rng.uniform(10.5, 12.5), rng.uniform(8.5, 10)
    if not view.sees(x, y, x + w, y + h):
        return
    metal = np.array((0.45, 0.7, 0.82) if rng.random() < 0.6 else (0.75, 0.76, 0.77)) * rng.uniform(0.6, 1.05)
    r = rng.uniform(0.3, 2)
    t = np.linspace(0, 2 * np.pi, 41)[:-1]
    corner = np.stack([np.sign(np.cos(t)) * (w / 2 - r) + r * np.cos(t), np.sign(np.sin(t)) * (h / 2 - r) + r * np.sin(t)], 1)
    center = np.array((x + w / 2, y + h / 2))
    _fill(image, view, center + corner, metal, 1.0)
    _fill(image, view, center + corner * 0.96, metal * rng.uniform(0.85, 1.2), 0.8)
    dark = metal * rng.uniform(0.3, 0.7)
    inner = rng.uniform(0.15, 0.3)
    for u in (-inner, inner):
        _fill(image, view, center + np.array([(w * u - 0.12, -h / 2), (w * u + 0.12, -h / 2), (w * u + 0.12, h / 2), (w * u - 0.12, h / 2)]), dark, 0.8)
    for v in (-0.17, 0.17) if rng.random() < 0.6 else (-0.25, 0, 0.25):
        for u0, u1 in ((-0.5, -inner), (inner, 0.5)):
            _fill(image, view, center + np.array([(w * u0, h * v - 0.12), (w * u1, h * v - 0.12), (w * u1, h * v + 0.12), (w * u0, h * v + 0.12)]), dark, 0.8)
    if rng.random() < 0.4:
        _fill(image, view, center + 0.5 * corner * (inner * 2, 0.5), metal * 0.9, 1.0)


def _network(rng, image, view, at):
    x, y = at
    kind = rng.integers(4)
    if kind == 0:
        for dx, color in ((0, (0.1, 0.1, 0.85)), (6, (0.1, 0.65, 0.95))):
            _disc(image, view, (x + 5 + dx, y + 5), 5, color)
    elif kind == 1:
        for i, color in enumerate(((0.15, 0.1, 0.8), (0.5, 0.25, 0.05), (0.45, 0.5, 0.05))):
            shape = np.array([(x + 4.5 * i + 1.5, y), (x + 4.5 * i + 6.5, y), (x + 4.5 * i + 5, y + 9), (x + 4.5 * i, y + 9)])
            _fill(image, view, shape, color, 0.95)
        _label(rng, image, view, Label("UnionPay\n银联", x + 2, y + 2, 2.2, art_face("chinese")), np.ones(3, np.float32))
    elif kind == 2:
        _label(rng, image, view, Label("VISA", x, y + 2, 5, art_face("label")), np.array((0.5, 0.15, 0.05), np.float32) if rng.random() < 0.4 else np.full(3, 0.95, np.float32))
    else:
        _fill(image, view, np.array([(x, y), (x + 14, y), (x + 14, y + 9), (x, y + 9)]), rng.random(3) * 0.9, rng.uniform(0.6, 1))


def art_face(use: str) -> str:
    """The first face of a use: marks of networks are always set alike."""
    return faces(use)[0]


def _fill(image, view, shape, color, alpha):
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(view.px(shape) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    image += (mask.astype(np.float32) / 255 * np.float32(alpha))[..., None] * (np.asarray(color, np.float32) - image)


def _disc(image, view, center, radius, color):
    t = np.linspace(0, 2 * np.pi, 40)
    _fill(image, view, np.asarray(center) + radius * np.stack([np.cos(t), np.sin(t)], 1), color, 0.95)


def _scratches(rng, image, view):
    """Wear of the whole surface: thin lines, brighter or darker."""
    mask = np.zeros(image.shape[:2], np.uint8)
    for _ in range(rng.integers(1, 12)):
        a = view.px(rng.uniform((0, 0), (86, 54)))
        b = a + rng.normal(0, 12, 2) * view.scale
        cv2.line(mask, tuple(np.round(a * 16).astype(int)), tuple(np.round(b * 16).astype(int)), int(rng.integers(60, 255)), 1, cv2.LINE_AA, 4)
    image += (mask.astype(np.float32) / 255 * rng.uniform(0.1, 0.5))[..., None] * (np.float32(rng.choice((0.1, 0.95))) - image)
