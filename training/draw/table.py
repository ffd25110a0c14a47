"""What lies under and around cards: tables, cloth, paper with writing, scanner lids; and pictures with no card at all."""

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .fonts import font, pick
from .noise import field, grain, plasma, smoothstep

WORDS = ("INVOICE", "合同编号", "Tel 13800138000", "No. 2019-0042-118", "姓名", "申请表", "TOTAL 1,284.00", "Date 2021/03/04", "ID 110101199003070000", "地址", "Account holder",
         "receipt 0048271", "本人确认", "Reference 88-120-4471", "签字", "Page 3 of 12", "QTY 12  PRICE 38.50", "单位:元", "0755-88881234", "http://www.example.com/a?id=12345")


def table(rng: np.random.Generator, w: int, h: int) -> np.ndarray:
    """A surface seen from above, float32 BGR 0..1, shape (h, w, 3)."""
    color = rng.random(3).astype(np.float32) * 0.5 + rng.random() * 0.5
    color = color.mean() + (color - color.mean()) * np.float32(rng.uniform(0.1, 1.0))
    image = np.empty((h, w, 3), np.float32)
    image[:] = color
    kind = rng.random()
    if kind < 0.3:
        _wood(rng, image)
    elif kind < 0.5:
        image += (plasma(rng, w, h, rng.uniform(20, 200), 4) - 0.5)[..., None] * np.float32(rng.uniform(0.05, 0.5))
    elif kind < 0.65:
        image += grain(rng, h, w)[..., None] * np.float32(rng.uniform(0.01, 0.1))
    if rng.random() < 0.3:
        paper(rng, image)
    if rng.random() < 0.3:
        _clutter(rng, image)
    return np.clip(image, 0, 1, out=image)


def scanner_lid(rng: np.random.Generator, w: int, h: int) -> np.ndarray:
    """The nearly even white, grey or black around things on a flatbed."""
    shade = rng.uniform(0.85, 1.0) if rng.random() < 0.8 else rng.uniform(0.02, 0.3)
    image = np.full((h, w, 3), shade, np.float32)
    image += (field(rng, w, h, max(w, h) / 3) - 0.5)[..., None] * np.float32(0.05)
    if rng.random() < 0.25:
        _writing(rng, image, 0, 0, w, h, 0.1)
    return np.clip(image, 0, 1, out=image)


def _wood(rng, image):
    h, w = image.shape[:2]
    lines = field(rng, w, h, rng.uniform(3, 12)) if rng.random() < 0.5 else field(rng, h, w, rng.uniform(3, 12)).T
    stretched = cv2.resize(cv2.resize(np.ascontiguousarray(lines), (max(2, w // 20), h)), (w, h))
    image += (stretched - 0.5)[..., None] * np.float32(rng.uniform(0.05, 0.4))
    if rng.random() < 0.4:
        image[:] = np.rot90(image, 2) if h != w else np.rot90(image)


def paper(rng: np.random.Generator, image: np.ndarray) -> None:
    """A sheet with lines of writing, somewhere on the table; some of it are numbers that are no card numbers."""
    h, w = image.shape[:2]
    x0, y0 = rng.uniform(-0.2, 0.5) * w, rng.uniform(-0.2, 0.5) * h
    x1, y1 = x0 + rng.uniform(0.4, 1.2) * w, y0 + rng.uniform(0.4, 1.2) * h
    c0, c1, r0, r1 = max(0, int(x0)), min(w, int(x1)), max(0, int(y0)), min(h, int(y1))
    if c1 - c0 < 20 or r1 - r0 < 20:
        return
    image[r0:r1, c0:c1] = np.float32(rng.uniform(0.75, 1.0)) * np.array((rng.uniform(0.9, 1), 1, 1), np.float32)
    _writing(rng, image, c0, r0, c1, r1, rng.uniform(0, 0.3))


def _writing(rng, image, c0, r0, c1, r1, shade):
    size = int(rng.uniform(0.02, 0.07) * max(image.shape[:2])) + 5
    picture = Image.new("L", (c1 - c0, r1 - r0))
    draw = ImageDraw.Draw(picture)
    y = rng.uniform(0, size * 2)
    while y < r1 - r0 - size:
        text = "   ".join(WORDS[i] for i in rng.integers(0, len(WORDS), rng.integers(1, 4)))
        if rng.random() < 0.8:
            draw.text((rng.uniform(2, size * 3), y), text, fill=int(rng.integers(150, 256)), font=font(pick(rng, "chinese"), size))
        y += size * rng.uniform(1.2, 2.5)
    mask = np.asarray(picture, np.float32)[..., None] / 255
    part = image[r0:r1, c0:c1]
    part += mask * (np.float32(shade) - part)


def _clutter(rng, image):
    """Edges of other things: pens, books, keys of a keyboard, another card's corner."""
    h, w = image.shape[:2]
    for _ in range(rng.integers(1, 5)):
        center = rng.uniform((0, 0), (w, h))
        shape = center + rng.normal(0, 0.25, (int(rng.integers(3, 6)), 2)) * (w, h)
        color = [float(c) for c in rng.random(3)]
        cv2.fillPoly(image, [np.round(cv2.convexHull(shape.astype(np.float32))).astype(np.int32)], color, cv2.LINE_AA)
    if rng.random() < 0.3:
        step, color = int(rng.integers(12, 60)), [float(c) for c in rng.random(3)]
        for x in range(0, w, step):
            for y in range(0, h // 2, step):
                cv2.rectangle(image, (x + 2, y + 2), (x + step - 3, y + step - 3), color, -1)


def no_card(rng: np.random.Generator, w: int, h: int) -> np.ndarray:
    """A picture without any card: tables, documents, abstract colours, faces of nothing."""
    kind = rng.random()
    if kind < 0.4:
        image = table(rng, w, h)
        paper(rng, image)
        return np.clip(image, 0, 1)
    if kind < 0.6:
        return table(rng, w, h)
    if kind < 0.75:
        return scanner_lid(rng, w, h)
    picture = np.stack([plasma(rng, w, h, max(w, h) / rng.uniform(1, 10), 6, rng.uniform(0.4, 0.8)) for _ in range(3)], 2)
    if rng.random() < 0.5:
        edge = rng.uniform(0.3, 0.7)
        picture = smoothstep(picture, edge, edge + rng.uniform(0.02, 0.4))
    return picture.astype(np.float32)
