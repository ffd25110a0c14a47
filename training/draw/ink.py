"""How a run of text looks on the card: embossed by light, with foil whole or worn, or printed flat."""

from dataclasses import dataclass

import cv2
import numpy as np

from .noise import field, smoothstep

FOILS = {
    "silver": (0.78, 0.78, 0.76),
    "gold": (0.42, 0.68, 0.84),
    "white": (0.93, 0.93, 0.94),
    "black": (0.09, 0.09, 0.1),
    "copper": (0.38, 0.5, 0.72),
    "dark": (0.3, 0.24, 0.2),
}


@dataclass(frozen=True)
class Ink:
    """The look of one run. Lengths in mm, angles in radians on the card, strengths around 1.

    `color` is None where only the plastic shows. `slope` is the blur that makes the raised profile, as a share of the
    pen's width. `lobes` are the lights and dark corners of the room that the flanks mirror: (slope x, slope y, width,
    strength), strength below 0 for dark ones; slopes are in units of a full flank.
    """

    embossed: bool
    color: tuple[float, float, float] | None
    alpha: float
    light: float
    slope: float
    relief: float
    lobes: tuple[tuple[float, float, float, float], ...]
    shadow: float
    bulge: float
    wear: float
    wear_cell: float
    rim: float
    sheen: float


def _lobes(rng: np.random.Generator, light: float, dark_card: bool) -> tuple[tuple[float, float, float, float], ...]:
    """One to three lights, one near the main direction, and up to two dark corners, usually opposite."""
    out = []
    for i in range(rng.integers(1, 4)):
        angle = light + rng.normal(0, 0.5) if i == 0 else rng.uniform(0, 2 * np.pi)
        reach = rng.uniform(0.35, 1.3)
        strength = rng.uniform(0.3, 1.25) * (1.2 if dark_card else 1.0) * (1 if i == 0 else 0.7)
        out.append((reach * np.cos(angle), reach * np.sin(angle), rng.uniform(0.22, 0.6), strength))
    for _ in range(rng.integers(0, 3)):
        angle = light + np.pi + rng.normal(0, 0.8)
        reach = rng.uniform(0.3, 1.2)
        out.append((reach * np.cos(angle), reach * np.sin(angle), rng.uniform(0.3, 0.8), -rng.uniform(0.15, 0.75)))
    return tuple(out)


def emboss_ink(rng: np.random.Generator, light: float, background: float) -> Ink:
    """Draws an embossed look over plastic of mean brightness `background` (0..1)."""
    color = None
    if rng.random() < 0.66:
        names = ("silver", "silver", "silver", "gold", "gold", "white", "black", "copper", "dark")
        color = tuple(np.clip(np.array(FOILS[names[rng.integers(len(names))]]) * rng.uniform(0.75, 1.15) + rng.normal(0, 0.03, 3), 0, 1))
    worn = rng.random() < 0.45
    return Ink(
        embossed=True,
        color=color,
        alpha=rng.uniform(0.55, 1.0),
        light=light + rng.normal(0, 0.15),
        slope=rng.uniform(0.1, 0.32),
        # Bare plastic lives by its relief alone.
        relief=rng.uniform(0.25, 0.95) * (1.0 if color is not None else 1.3),
        lobes=_lobes(rng, light, background < 0.3) if rng.random() < 0.88 else (),
        shadow=rng.uniform(0.0, 0.6),
        bulge=rng.uniform(0.0, 0.3) if rng.random() < 0.35 else 0.0,
        wear=rng.uniform(0.15, 0.7) if worn else 0.0,
        wear_cell=np.exp(rng.uniform(np.log(0.15), np.log(2.5))),
        rim=rng.choice((0.0, 0.0, 0.0, -1.0, 1.0)) * rng.uniform(0.4, 1.0),
        sheen=rng.uniform(0.0, 0.6) if rng.random() < 0.6 else 0.0,
    )


def flat_ink(rng: np.random.Generator, light: float, background: np.ndarray) -> Ink:
    """Draws a printed look that stands out from the mean `background` colour (BGR 0..1), weakly in some cards."""
    need = rng.choice((0.16, 0.25, 0.4))
    for _ in range(12):
        kind = rng.random()
        if kind < 0.35:
            color = np.full(3, rng.uniform(0.02, 0.16))
        elif kind < 0.6:
            color = np.full(3, rng.uniform(0.85, 1.0))
        elif kind < 0.8:
            color = np.array(FOILS[("silver", "gold", "copper")[rng.integers(3)]]) * rng.uniform(0.8, 1.1)
        else:
            color = rng.random(3) * rng.uniform(0.3, 1.0)
        color = np.clip(color + rng.normal(0, 0.02, 3), 0, 1)
        if abs(color.mean() - background.mean()) > need:
            break
    else:
        color = np.full(3, 0.03 if background.mean() > 0.5 else 0.97)
    return Ink(
        embossed=False, color=tuple(color), alpha=rng.uniform(0.75, 1.0), light=light, slope=0.2, lobes=(),
        # A little relief: some flat numbers are engraved or printed thick.
        relief=rng.uniform(-0.15, 0.2) if rng.random() < 0.3 else 0.0,
        shadow=rng.uniform(0.2, 0.7) if rng.random() < 0.15 else 0.0,
        bulge=0.0,
        wear=rng.uniform(0.1, 0.45) if rng.random() < 0.2 else 0.0,
        wear_cell=np.exp(rng.uniform(np.log(0.1), np.log(1.5))),
        rim=0.0,
        sheen=rng.uniform(0.1, 0.5) if rng.random() < 0.25 else 0.0,
    )


def paint(image: np.ndarray, mask: np.ndarray, scale: float, pen: float, ink: Ink, rng: np.random.Generator) -> None:
    """Draws `mask` (h, w, 0..1) in place onto `image` (h, w, 3, float32 BGR 0..1).

    `scale` is px per mm, `pen` the strokes' width in mm.
    """
    shine = None
    if ink.relief or ink.lobes or ink.shadow:
        shine = _relief(image, mask, scale, pen, ink)
    if ink.color is not None:
        alpha = _coverage(mask, scale, pen, ink, rng)
        color = np.array(ink.color, np.float32)
        if ink.sheen:
            # Metal mirrors the room: brightness wanders along the line, from dull to blinding.
            wander = field(rng, mask.shape[1], mask.shape[0], rng.uniform(4, 25) * scale) - 0.5
            color = color * (1 + 2.4 * ink.sheen * wander[..., None])
        if shine is not None:
            color = color * (1 + 0.9 * np.minimum(shine, 0.4))[..., None]
        image += alpha[..., None] * (np.clip(color, 0, 1) - image)
    if shine is not None and ink.lobes:
        image += np.clip(shine, 0, 0.95)[..., None] * (1 - image)
    np.clip(image, 0, 1, out=image)


MAP_SIZE, MAP_REACH = 33, 1.6


def _mirror(ink: Ink) -> np.ndarray:
    """What a flank of each slope shows: a map (slope y, slope x) of -1 dark .. 1 blinding, 0 on the flat."""
    axis = np.linspace(-MAP_REACH, MAP_REACH, MAP_SIZE, dtype=np.float32)
    sx, sy = axis[None], axis[:, None]
    out = ink.relief * (sx * np.cos(ink.light) + sy * np.sin(ink.light)).astype(np.float32)
    for x, y, width, strength in ink.lobes:
        out += strength * np.exp(-((sx - x) ** 2 + (sy - y) ** 2) / (width * width))
    return out - out[MAP_SIZE // 2, MAP_SIZE // 2]


def _relief(image: np.ndarray, mask: np.ndarray, scale: float, pen: float, ink: Ink) -> np.ndarray:
    """Shades the plastic by the slope of the raised mask; gives what each pixel mirrors, -1..1."""
    sigma = max(ink.slope * pen * scale, 0.3)
    height = cv2.GaussianBlur(mask, (0, 0), sigma)
    if ink.bulge:
        height = height + ink.bulge * cv2.GaussianBlur(mask, (0, 0), max(0.45 * scale, 0.5))
    # Slope times the width of the flank: about 1 on a full flank whatever the scale. Downhill is towards the light.
    flank = 2.5 * sigma * MAP_SIZE / (2 * MAP_REACH)
    gx = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=-flank / 8)
    gy = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=-flank / 8)
    middle = np.float32(MAP_SIZE // 2)
    shine = cv2.remap(_mirror(ink), gx + middle, gy + middle, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    shade = 1 + shine
    if ink.shadow:
        cos, sin = np.cos(ink.light), np.sin(ink.light)
        reach = 0.5 * pen * scale
        move = np.array([[1, 0, -cos * reach], [0, 1, -sin * reach]], np.float32)
        cast = cv2.warpAffine(height, move, (mask.shape[1], mask.shape[0]))
        shade -= ink.shadow * np.clip(cast - height, 0, 1)
    image *= np.clip(shade, 0.08, 1.8)[..., None]
    return shine


def _coverage(mask: np.ndarray, scale: float, pen: float, ink: Ink, rng: np.random.Generator) -> np.ndarray:
    """Where foil or print lies: the mask, less what is worn off, less the middle or the rim of the strokes."""
    alpha = mask * np.float32(ink.alpha)
    if ink.rim:
        soft = cv2.GaussianBlur(mask, (0, 0), max(0.25 * pen * scale, 0.4))
        core = smoothstep(soft, 0.45, 0.85)
        alpha = alpha * (1 - ink.rim * core if ink.rim > 0 else 1 + ink.rim * (1 - core))
    if ink.wear:
        noise = field(rng, mask.shape[1], mask.shape[0], max(ink.wear_cell * scale, 1.0))
        noise += 0.5 * (field(rng, mask.shape[1], mask.shape[0], max(ink.wear_cell * 0.3 * scale, 1.0)) - 0.5)
        alpha = alpha * smoothstep(noise, ink.wear - 0.15, ink.wear + 0.2)
    return alpha.astype(np.float32)
