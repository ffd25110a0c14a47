"""What is printed behind the text: gradients, clouds, waves, line art, bricks, maps of dots, pictures, holograms."""

import cv2
import numpy as np

from .noise import field, grain, plasma, smoothstep
from .view import CARD_H, CARD_W, View


# Hue (0..179), saturation and value (0..255) of common card colours.
USUAL = ((105, 200, 150), (110, 170, 90), (100, 150, 190), (2, 200, 150), (175, 190, 110), (20, 120, 170), (22, 90, 200), (15, 120, 100), (60, 150, 80),
         (75, 140, 100), (0, 10, 40), (0, 8, 130), (20, 25, 210), (12, 90, 140))


def _hue_color(rng: np.random.Generator) -> np.ndarray:
    """A card colour as BGR 0..1: any hue, saturations and brightnesses as cards have them."""
    kind = rng.random()
    if kind < 0.45:
        # The colours banks like: blues, reds, golds, browns, greens, greys.
        hue, sat, val = USUAL[rng.integers(len(USUAL))]
        hsv = np.clip(np.array((hue, sat, val)) + rng.normal(0, 1, 3) * (6, 35, 35), 0, (179, 255, 255))
        return cv2.cvtColor(np.uint8([[hsv]]), cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32) / 255
    if kind < 0.6:
        return np.full(3, rng.uniform(0.03, 0.95), np.float32) + rng.normal(0, 0.02, 3).astype(np.float32)
    hue, sat, val = rng.uniform(0, 180), 255 * rng.beta(2.2, 1.8), 255 * np.clip(rng.beta(1.8, 1.4), 0.06, 1)
    pixel = np.array([[[hue, sat, val]]], np.uint8)
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0].astype(np.float32) / 255


def _near(rng: np.random.Generator, color: np.ndarray, by: float) -> np.ndarray:
    """A relative of `color`: brighter or darker by up to `by`, its hue a little off."""
    return np.clip(color + rng.normal(0, by * 0.3, 3) + rng.uniform(-by, by), 0, 1).astype(np.float32)


def _blend(image: np.ndarray, mask: np.ndarray, color: np.ndarray, alpha: float) -> None:
    """Moves `image` towards `color` in place by `alpha` times `mask` (h, w, 0..1)."""
    for k in range(3):
        image[..., k] += mask * ((float(color[k]) - image[..., k]) * np.float32(alpha))


def background(rng: np.random.Generator, view: View) -> np.ndarray:
    """Draws the card's surface as the window shows it, float32 BGR 0..1, shape (h, w, 3)."""
    base = _hue_color(rng)
    image = np.empty((view.h, view.w, 3), np.float32)
    image[:] = base
    _gradient(rng, view, image, base)
    kinds = (_clouds, _waves, _rings, _bands, _strokes, _bricks, _dots, _picture, _skyline, _hatch, _blobs, _hologram)
    weights = np.array((2, 2, 1.2, 1.5, 2.2, 0.8, 0.8, 1.3, 0.8, 0.6, 1.5, 0.5))
    for _ in range(rng.choice((0, 1, 2, 3, 4), p=(0.08, 0.24, 0.3, 0.24, 0.14))):
        kinds[rng.choice(len(kinds), p=weights / weights.sum())](rng, view, image, base)
    if rng.random() < 0.3:
        # Grain of brushed or frosted plastic.
        texture = grain(rng, view.h, view.w) * np.float32(rng.uniform(0.005, 0.03))
        if rng.random() < 0.4:
            texture = cv2.blur(texture, (max(3, int(view.scale * 3)), 1)) * 2
        image += texture[..., None]
    return np.clip(image, 0, 1, out=image)


def _coordinates(view: View) -> tuple[np.ndarray, np.ndarray]:
    x = view.x0 + np.arange(view.w, dtype=np.float32) / view.scale
    y = view.y0 + np.arange(view.h, dtype=np.float32) / view.scale
    return x[None], y[:, None]


def _gradient(rng, view, image, base):
    x, y = _coordinates(view)
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        t = (x * np.cos(angle) + y * np.sin(angle)) / CARD_W
    else:
        cx, cy = rng.uniform(0, CARD_W), rng.uniform(0, CARD_H)
        t = np.sqrt((x - cx) ** 2 + (y - cy) ** 2) / CARD_W
    t = np.clip(t * rng.uniform(0.6, 1.5) + rng.uniform(-0.3, 0.3), 0, 1)
    other = _near(rng, base, 0.35) if rng.random() < 0.8 else _hue_color(rng)
    _blend(image, t, other, rng.uniform(0.2, 1.0))


def _clouds(rng, view, image, base):
    cell = rng.uniform(4, 30) * view.scale
    mask = plasma(rng, view.w, view.h, cell, int(rng.integers(2, 6)), rng.uniform(0.35, 0.7))
    if rng.random() < 0.4:
        edge = rng.uniform(0.3, 0.7)
        mask = smoothstep(mask, edge, edge + rng.uniform(0.03, 0.3))
    _blend(image, mask, _near(rng, base, 0.5), rng.uniform(0.15, 0.8))


def _lines(view: View, lines: list[np.ndarray], width_mm: float, closed: bool = False) -> np.ndarray:
    mask = np.zeros((view.h, view.w), np.uint8)
    points = [np.round(view.px(line) * 16).astype(np.int32) for line in lines]
    thick = width_mm * view.scale
    cv2.polylines(mask, points, closed, int(255 * min(1, max(thick, 0.15))), max(1, round(thick)), cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255


def _waves(rng, view, image, base):
    """Guilloche: a family of shifted sine curves."""
    t = np.linspace(-10, CARD_W + 10, 60)
    angle = rng.normal(0, 0.5)
    amp, freq, phase = rng.uniform(1, 12), rng.uniform(0.03, 0.25), rng.uniform(0, 6)
    step, drift = np.exp(rng.uniform(np.log(0.5), np.log(4))), rng.normal(0, 0.15)
    lines = []
    for i in range(int(min(50, 70 / step))):
        y = -8 + i * step + amp * np.sin(freq * t + phase + i * drift)
        lines.append(np.stack([t * np.cos(angle) - y * np.sin(angle), t * np.sin(angle) + y * np.cos(angle)], 1))
    mask = _lines(view, lines, rng.uniform(0.08, 0.5))
    _blend(image, mask, _near(rng, base, 0.6), rng.uniform(0.2, 0.9))


def _rings(rng, view, image, base):
    center = rng.uniform((0, 0), (CARD_W, CARD_H))
    t = np.linspace(0, 2 * np.pi, 48)
    wobble = 1 + rng.uniform(0, 0.15) * np.sin(rng.integers(2, 9) * t)
    first, step = rng.uniform(2, 15), np.exp(rng.uniform(np.log(0.6), np.log(6)))
    unit = np.stack([np.cos(t) * wobble, np.sin(t) * wobble * rng.uniform(0.6, 1)], 1)
    lines = [center + (first + i * step) * unit for i in range(int(min(40, 60 / step)))]
    mask = _lines(view, lines, rng.uniform(0.08, 0.8), True)
    _blend(image, mask, _near(rng, base, 0.6), rng.uniform(0.2, 0.9))


def _bands(rng, view, image, base):
    """Wide coloured areas with a straight or curved edge, right through the number as often as not."""
    x, y = _coordinates(view)
    for _ in range(rng.integers(1, 4)):
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0, 60)
        d = x * np.cos(angle) + y * np.sin(angle) - offset * np.sign(np.cos(angle) + 1e-3)
        if rng.random() < 0.5:
            d = d + rng.uniform(1, 8) * np.sin((x * -np.sin(angle) + y * np.cos(angle)) * rng.uniform(0.03, 0.2) + rng.uniform(0, 6))
        soft = rng.uniform(0.05, 0.3) if rng.random() < 0.7 else rng.uniform(1, 10)
        mask = np.clip(d / soft, 0, 1) if rng.random() < 0.5 else np.clip(d / soft, 0, 1) * np.clip((rng.uniform(2, 30) - d) / soft, 0, 1)
        color = _near(rng, base, 0.5) if rng.random() < 0.7 else _hue_color(rng)
        _blend(image, np.broadcast_to(mask, image.shape[:2]), color, rng.uniform(0.15, 1.0))


_T = np.linspace(0, 1, 14)
BEZIER = np.stack([(1 - _T) ** 4, 4 * _T * (1 - _T) ** 3, 6 * _T**2 * (1 - _T) ** 2, 4 * _T**3 * (1 - _T), _T**4], 1)


def _strokes(rng, view, image, base):
    """Line art in the way engravers draw riders, dragons and flowers: clusters of pen strokes, dark, light or both."""
    spread, size = rng.uniform(6, 25), np.exp(rng.uniform(np.log(1.5), np.log(14)))
    center = np.array([rng.uniform(0, CARD_W), rng.uniform(12, 45)])
    for _ in range(rng.integers(1, 3)):
        count = rng.integers(8, 60)
        knots = center + rng.normal(0, spread, (count, 1, 2)) + rng.normal(0, size, (count, 5, 2))
        lines = list(BEZIER @ knots)
        mask = _lines(view, lines, np.exp(rng.uniform(np.log(0.1), np.log(1.2))))
        color = _near(rng, base, 0.7) if rng.random() < 0.7 else np.full(3, rng.choice((0.05, 0.95)), np.float32)
        _blend(image, mask, color, rng.uniform(0.15, 0.85))


def _bricks(rng, view, image, base):
    """A wall, as on cards that show the great one: rows of joints, tilted."""
    w, h, angle = rng.uniform(3, 9), rng.uniform(1.5, 4), rng.normal(0, 0.3)
    lines = []
    for row in range(int(70 / h)):
        y = -8 + row * h
        lines.append(np.array([(-10, y), (100, y)]))
        shift = (row % 2) * w / 2
        lines += [np.array([(x + shift, y), (x + shift, y + h)]) for x in np.arange(-10, 100, w)]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    mask = _lines(view, [line @ turn for line in lines], rng.uniform(0.15, 0.6))
    if rng.random() < 0.6:
        mask = mask * smoothstep(field(rng, view.w, view.h, 20 * view.scale), 0.35, 0.6)
    _blend(image, mask, _near(rng, base, 0.6), rng.uniform(0.2, 0.8))


def _dots(rng, view, image, base):
    """A map or pattern of dots."""
    x, y = _coordinates(view)
    step = rng.uniform(0.6, 2.5)
    grid = (np.cos(x * (2 * np.pi / step)) + np.cos(y * (2 * np.pi / step))) * 0.25 + 0.5
    mask = smoothstep(grid, rng.uniform(0.5, 0.7), 0.85) * smoothstep(field(rng, view.w, view.h, rng.uniform(6, 20) * view.scale), 0.45, 0.5)
    _blend(image, mask, _near(rng, base, 0.6), rng.uniform(0.2, 0.9))


def _picture(rng, view, image, base):
    """A stand-in for a photograph: colours vary freely over several scales, with soft edges."""
    cell = rng.uniform(5, 25) * view.scale
    picture = np.stack([plasma(rng, view.w, view.h, cell, 5, rng.uniform(0.4, 0.75)) for _ in range(3)], 2)
    if rng.random() < 0.5:
        mean = picture.mean(2, keepdims=True)
        picture = mean + (picture - mean) * rng.uniform(0.2, 0.8)
    if rng.random() < 0.5:
        levels = rng.integers(3, 9)
        picture = cv2.GaussianBlur(np.round(picture * levels) / levels, (0, 0), max(0.08 * view.scale, 0.3))
    alpha = np.float32(rng.uniform(0.3, 1.0))
    image += alpha * (np.clip(picture * rng.uniform(0.5, 1.4) + rng.uniform(-0.2, 0.2), 0, 1) - image)


def _skyline(rng, view, image, base):
    """Silhouettes of buildings or hills along a base line."""
    count = int(rng.integers(8, 40))
    x = np.sort(rng.uniform(-5, CARD_W + 5, count))
    ground, rise = rng.uniform(20, 55), rng.uniform(3, 20)
    y = ground - rng.random(count) * rise
    if rng.random() < 0.5:
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    outline = np.concatenate([[(-5, CARD_H + 5)], np.stack([x, y], 1), [(CARD_W + 5, CARD_H + 5)]])
    mask = np.zeros((view.h, view.w), np.uint8)
    cv2.fillPoly(mask, [np.round(view.px(outline) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    _blend(image, mask.astype(np.float32) / 255, _near(rng, base, 0.5), rng.uniform(0.2, 0.9))


def _hatch(rng, view, image, base):
    x, y = _coordinates(view)
    angle, step = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(0.4), np.log(3)))
    t = (x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / step)
    mask = smoothstep(np.cos(t), rng.uniform(-0.3, 0.5), 0.9)
    if rng.random() < 0.5:
        mask = mask * smoothstep(field(rng, view.w, view.h, rng.uniform(8, 25) * view.scale), 0.4, 0.6)
    _blend(image, mask, _near(rng, base, 0.45), rng.uniform(0.1, 0.7))


def _blobs(rng, view, image, base):
    for _ in range(rng.integers(1, 6)):
        center = view.px(rng.uniform((-5, -5), (CARD_W + 5, CARD_H + 5)))
        axes = rng.uniform(2, 22, 2) * view.scale
        mask = np.zeros((view.h, view.w), np.uint8)
        fill = -1 if rng.random() < 0.6 else max(1, round(rng.uniform(0.2, 2) * view.scale))
        cv2.ellipse(mask, (tuple(center), tuple(axes * 2), rng.uniform(0, 180)), 255, fill, cv2.LINE_AA)
        _blend(image, mask.astype(np.float32) / 255, _near(rng, base, 0.6), rng.uniform(0.15, 0.9))


def _hologram(rng, view, image, base):
    """Rainbow bands that change quickly, as foil patches do under a lamp."""
    x, y = _coordinates(view)
    angle = rng.uniform(0, np.pi)
    t = (x * np.cos(angle) + y * np.sin(angle)) * rng.uniform(0.05, 0.5) + 2 * field(rng, view.w, view.h, 10 * view.scale)
    rainbow = np.stack([np.sin(6.28 * (t + k / 3)) for k in range(3)], 2) * 0.5 + 0.5
    center, size = rng.uniform((0, 5), (CARD_W, 50)), rng.uniform(6, 40)
    mask = smoothstep(-((x - center[0]) ** 2 + (y - center[1]) ** 2), -(size**2), -((size * 0.8) ** 2)) * rng.uniform(0.2, 0.7)
    image += mask[..., None] * (rainbow.astype(np.float32) - image)
