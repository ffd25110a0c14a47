"""What a lens, a lamp, a scanner, a copier and a codec do to a picture of a card. Images are float32 BGR 0..1, (h, w, 3)."""

import cv2
import numpy as np

from .noise import field, grain, smoothstep


def light_up(rng: np.random.Generator, image: np.ndarray, unit: float, hard: float) -> np.ndarray:
    """Uneven light, colour cast, shadow edges and glare. `unit` is the height of a digit in px, `hard` 0..1."""
    h, w = image.shape[:2]
    if rng.random() < 0.6:
        slope = field(rng, w, h, max(w, h) * rng.uniform(0.3, 1.2)) - 0.5
        image = image * (1 + np.float32(rng.uniform(0, 0.9)) * slope)[..., None]
    if rng.random() < 0.25:
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.4, 0.4) * w
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        d = (x - w / 2) * np.cos(angle) + (y - h / 2) * np.sin(angle) - offset
        soft = unit * np.exp(rng.uniform(np.log(0.1), np.log(4)))
        image = image * (1 - np.float32(rng.uniform(0.15, 0.6)) * smoothstep(d, 0, soft)).astype(np.float32)[..., None]
    if rng.random() < 0.3:
        image = _glare(rng, image, unit, 0.35 + 0.5 * hard)
    cast = 1 + rng.normal(0, 0.07, 3)
    return image * cast.astype(np.float32)


def _glare(rng, image, unit, most):
    """Bright veils and streaks: a lamp or window mirrored in the plastic."""
    h, w = image.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    for _ in range(rng.integers(1, 3)):
        cx, cy = rng.uniform(0, w), rng.uniform(-0.2 * h, 1.2 * h)
        a, b = unit * np.exp(rng.uniform(np.log(0.5), np.log(8), 2))
        turn = rng.uniform(0, np.pi)
        u = ((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)) / a
        v = (-(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn)) / b
        spot = cv2.exp((-0.5 * (u * u + v * v)).astype(np.float32)) * np.float32(rng.uniform(0.1, most))
        image = image + spot[..., None] * (np.float32(rng.uniform(0.9, 1.1)) - image)
    return image


def expose(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Exposure, contrast, gamma and saturation of a camera; sometimes too dark or blown out."""
    mean = cv2.mean(image)
    target = float(np.clip(rng.normal(0.43, 0.13), 0.12, 0.85))
    gain = float(np.clip(target / max(sum(mean[:3]) / 3, 0.05), 0.5, 1.8))
    image = cv2.pow(np.maximum(image, 0) * np.float32(gain), float(np.exp(rng.normal(0, 0.18))))
    contrast = rng.uniform(0.75, 1.3)
    image = (image - np.float32(target)) * np.float32(contrast) + np.float32(target)
    # Stray light: a photograph of black is seldom black.
    veil = np.float32(rng.uniform(0, 0.12) ** 1.5)
    image = image * (1 - veil) + veil
    if rng.random() < 0.5:
        # Mixes each channel with the grey of all three.
        keep = rng.uniform(0.2, 1.3)
        image = cv2.transform(image, (np.eye(3) * keep + (1 - keep) / 3).astype(np.float32))
    return image


def blur(rng: np.random.Generator, image: np.ndarray, unit: float, hard: float) -> np.ndarray:
    """Lens blur, shake, low resolution; `hard` 0..1 scales how bad it may get. `unit` is the digits' height in px."""
    h, w = image.shape[:2]
    sigma = unit * 0.006 * np.exp(rng.uniform(0, np.log(1 + 14 * hard)))
    if sigma > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < 0.05 + 0.3 * hard:
        reach = max(2, round(unit * rng.uniform(0.04, 0.05 + 0.2 * hard)))
        kernel = np.zeros((reach, reach), np.float32)
        angle = rng.uniform(0, np.pi)
        c = (reach - 1) / 2
        a = (round(c - c * np.cos(angle)), round(c - c * np.sin(angle)))
        b = (round(c + c * np.cos(angle)), round(c + c * np.sin(angle)))
        cv2.line(kernel, a, b, 1.0)
        image = cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1))
    if rng.random() < 0.05 + 0.5 * hard:
        # Fewer pixels: down to where a digit has about 9 of them.
        least = max(9 / unit, 1 - 0.75 * hard)
        factor = rng.uniform(min(least, 1), 1)
        if factor < 0.95:
            small = cv2.resize(image, (max(8, round(w * factor)), max(8, round(h * factor))), interpolation=cv2.INTER_AREA)
            image = cv2.resize(small, (w, h), interpolation=(cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)])
    return image


def sensor(rng: np.random.Generator, image: np.ndarray, unit: float, hard: float) -> np.ndarray:
    """Grain, colour blotches and the sharpening that phones add."""
    h, w = image.shape[:2]
    if rng.random() < 0.7:
        amount = rng.uniform(0.002, 0.012 + 0.05 * hard)
        shape = (h, w, 3) if rng.random() < 0.5 else (h, w, 1)
        speckle = grain(rng, *shape) * np.float32(amount)
        if rng.random() < 0.4:
            speckle = cv2.GaussianBlur(speckle, (0, 0), rng.uniform(0.5, 1.2)).reshape(shape) * np.float32(1.8)
        image = image + speckle
    if rng.random() < 0.5:
        sigma = max(0.6, unit * rng.uniform(0.02, 0.07))
        image = image + np.float32(rng.uniform(0.2, 1.5)) * (image - cv2.GaussianBlur(image, (0, 0), sigma))
    return image


def copier(rng: np.random.Generator, image: np.ndarray, hard: float) -> np.ndarray:
    """Photocopies and office scanners: grey, hard contrast, streaks; bad ones nearly two-tone."""
    gray = image.mean(2, keepdims=True)
    low, high = np.quantile(gray, rng.uniform(0.0, 0.02 + 0.06 * hard)), np.quantile(gray, rng.uniform(0.97 - 0.12 * hard, 1.0))
    gray = (gray - low) / max(float(high - low), 0.1)
    if rng.random() < 0.35:
        gray = smoothstep(gray, 0.5 - (soft := rng.uniform(0.5 - 0.38 * hard, 0.6)), 0.5 + soft)
    if rng.random() < 0.3:
        streaks = rng.normal(0, 0.03, (1, image.shape[1], 1)).astype(np.float32)
        gray = gray + cv2.blur(streaks, (3, 1)).reshape(1, -1, 1)
    return np.repeat(gray, 3, 2).astype(np.float32)


def encode(rng: np.random.Generator, image: np.ndarray, low: int = 25) -> np.ndarray:
    """To uint8 and, mostly, through JPEG at a quality from `low` to 97."""
    out = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    for _ in range(rng.choice((0, 1, 2), p=(0.2, 0.65, 0.15))):
        quality = int(100 - (100 - low) * rng.random() ** 1.5)
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, quality])
        out = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return out


def photograph(rng: np.random.Generator, image: np.ndarray, unit: float, hard: float) -> np.ndarray:
    """The whole way from a lit card to pixels in memory: float in, uint8 out. `hard` 0..1, how bad it may get."""
    image = light_up(rng, image, unit, hard)
    image = expose(rng, image)
    if rng.random() < 0.08:
        image = copier(rng, image, hard)
    image = blur(rng, image, unit, hard)
    image = sensor(rng, image, unit, hard)
    return encode(rng, image, int(70 - 45 * hard))
