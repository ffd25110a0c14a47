"""Strips of text for the reader: a run of a drawn card as a camera sees it, cut out the way the runtime cuts it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .camera import photograph
from .card import boxes, paint_card
from .layout import Plan, plan_card
from .noise import field
from .runs import Run
from .strokes import StrokeStyle, bent
from .view import View

STRIP_H = 32
# Of a strip's height the text takes this share; the rest is margin above and below.
TEXT_SHARE = 0.72
# Fainter than pictures are drawn: the reader should know worn cards, and numbers across line art that are barely seen.
LEAST_CLARITY = 1.2
BARELY_SEEN = 0.6
BARELY_SEEN_SHARE = 0.3
# Flat print is read well long before embossing is.
FLAT_LEFT_OUT = 0.3


@dataclass(frozen=True)
class Strip:
    """A run of text as a camera sees it.

    `image` is uint8 BGR, larger than the text; `quad` (4, 2) holds the run's corners in it, clockwise from top-left;
    `spans` (n, 2) says where along the run, 0..1, each of the characters of `text` (no spaces) begins and ends.
    """

    image: np.ndarray
    quad: np.ndarray
    text: str
    spans: np.ndarray


def _perspective(rng: np.random.Generator, w: int, h: int, lean: float) -> np.ndarray:
    """A homography that tilts a w x h window: turn, shear, keystone and squeeze, about the window's centre."""
    turn, shear = rng.normal(0, 0.03 * lean), rng.normal(0, 0.12 * lean)
    squeeze = np.exp(rng.normal(0, 0.16 * lean, 2))
    center = np.array([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, 1]])
    affine = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine = affine @ np.array([[squeeze[0], shear, 0], [0, squeeze[1], 0], [0, 0, 1]])
    keystone = np.eye(3)
    keystone[2, :2] = rng.normal(0, 0.25 * lean) / w, rng.normal(0, 0.05 * lean) / w
    return keystone @ affine @ center


def draw_strip(rng: np.random.Generator, what: str = "number", holdout: bool = False, hard: float = 1.0) -> Strip:
    """Draws one strip. `what` is number, date or nothing; `hard` 0..1 bounds how bad the picture may be.

    A strip of nothing lies where a card has neither number nor date; its text is empty.
    """
    if what == "nothing":
        return _strip_of_nothing(rng, hard)
    while True:
        plan = plan_card(rng, holdout)
        if not plan.embossed and rng.random() < FLAT_LEFT_OUT:
            continue
        plan = _loosened(rng, plan)
        runs = [plan.number_run] if what == "number" else [line.run for line in plan.dates]
        if runs:
            break
    run = runs[rng.integers(len(runs))]
    digit_px = np.exp(np.log(12) + rng.random() ** 0.45 * np.log(44 / 12))
    scale = digit_px / run.height
    return _strip(rng, plan, run, scale, hard * rng.random() ** 3)


def _loosened(rng: np.random.Generator, plan: Plan) -> Plan:
    """The plan with wheels that no embosser has, and now and then a number in which one digit stands many times.

    A reader that has seen only true wheels learns those by heart.
    """

    def loose(run: Run) -> Run:
        return replace(run, face=bent(rng, run.face)) if isinstance(run.face, StrokeStyle) and rng.random() < 0.75 else run

    number = loose(plan.number_run)
    if rng.random() < 0.06:
        number = replace(number, text=_repeating(rng, number.text))
    return replace(plan, number_run=number, dates=tuple(replace(line, run=loose(line.run)) for line in plan.dates))


def _repeating(rng: np.random.Generator, text: str) -> str:
    """The text with a stretch of its digits made the same."""
    start, end = np.sort(rng.integers(0, len(text) + 1, 2))
    digit = str(rng.integers(10))
    return text[:start] + "".join(digit if c.isdigit() else c for c in text[start:end]) + text[end:]


def _rippled(rng: np.random.Generator, image: np.ndarray, digit_px: float) -> np.ndarray:
    """The image pulled about by a fraction of a digit, here one way and there another: faces that no font has."""
    h, w = image.shape[:2]
    cell = digit_px * rng.uniform(0.5, 2.0)
    reach = digit_px * rng.uniform(0, 0.15)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    dx, dy = ((field(rng, w, h, cell) - 0.5) * np.float32(reach) for _ in range(2))
    return cv2.remap(image, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _strip(rng, plan: Plan, run, scale: float, hard: float, box=None) -> Strip:
    x0, y0, x1, y1 = box or run.box()
    side, above = 1.6 * run.height, 0.6 * run.height
    view = View(scale, x0 - side, y0 - above, round((x1 - x0 + 2 * side) * scale), round((y1 - y0 + 2 * above) * scale))
    image = paint_card(rng, plan, view, BARELY_SEEN if rng.random() < BARELY_SEEN_SHARE else LEAST_CLARITY)
    _card_edge(rng, image, view, plan)
    quad = view.px([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    lean = rng.random() ** 2
    h, w = image.shape[:2]
    m = _perspective(rng, w, h, lean)
    corners = cv2.perspectiveTransform(np.array([[(0, 0), (w, 0), (w, h), (0, h)]], np.float64), m)[0]
    low, high = corners.min(0), corners.max(0)
    m = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ m
    size = np.ceil(high - low).astype(int).clip(8, 2000)
    image = cv2.warpPerspective(image, m, tuple(int(v) for v in size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.4:
        image = _rippled(rng, image, run.height * scale)
    quad = cv2.perspectiveTransform(quad[None].astype(np.float64), m)[0]
    slots = run.slots()
    spans = (np.array([(x, x + width) for _, x, width in slots]).reshape(-1, 2) - x0) / (x1 - x0)
    return Strip(photograph(rng, image, run.height * scale, hard), quad, "".join(c for c, _, _ in slots), spans)


def _strip_of_nothing(rng, hard: float) -> Strip:
    """A stretch of card with labels, line art or plain plastic where a finder could mistake something for a number."""
    while True:
        plan = plan_card(rng)
        run = plan.number_run
        x0, y0, x1, y1 = run.box()
        taken = [run.box(), *(line.run.box() for line in plan.dates)]
        target = plan.labels[rng.integers(len(plan.labels))] if plan.labels and rng.random() < 0.7 else None
        top = target.y - 0.2 if target else rng.uniform(1, plan.size[1] - 6)
        high = target.height * 1.2 if target else run.height
        left = target.x if target else x0
        wide = min((x1 - x0) * high / run.height, plan.size[0] - left)
        box = (left, top, left + wide, top + high)
        free = not any(box[1] < b[3] + 0.5 and b[1] < box[3] + 0.5 for b in taken)
        if free and wide > 3 and not (target and sum(c.isdigit() for c in target.text) > 2):
            break
    blank = replace(run, text="", x=left, y=top, height=high)
    strip = _strip(rng, plan, blank, rng.uniform(12, 30) / high, hard * rng.random() ** 2, box)
    return strip


def _card_edge(rng, image, view: View, plan: Plan) -> None:
    """Beyond the card's edge lies the table, not more card."""
    w_mm, h_mm = plan.size
    color = rng.random(3).astype(np.float32) * rng.random()
    (x0, y0), (x1, y1) = view.px([(0, 0), (w_mm, h_mm)]).round().astype(int)
    if x0 > 0:
        image[:, : min(x0, view.w)] = color
    if x1 < view.w:
        image[:, max(x1, 0) :] = color
    if y1 < view.h:
        image[max(y1, 0) :] = color
    if y0 > 0:
        image[: min(y0, view.h)] = color


def part_quad(quad: np.ndarray, start: float, end: float) -> np.ndarray:
    """The part of a quad from `start` to `end` (0..1 along its length), true for mild perspective."""
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    return np.array([quad[0] + start * top, quad[0] + end * top, quad[3] + end * bottom, quad[3] + start * bottom])


def cut_matrix(quad: np.ndarray, width: int, height: int = STRIP_H, share: float = TEXT_SHARE, side: float = 0.7) -> np.ndarray:
    """The homography from picture to strip that puts the text's quad in the middle of `width` x `height`.

    `side` is the margin left and right, in text heights.
    """
    text = share * height
    pad = side * text
    top, left = (height - text) / 2, pad
    target = np.array([(left, top), (width - left, top), (width - left, top + text), (left, top + text)], np.float32)
    return cv2.getPerspectiveTransform(quad.astype(np.float32), target)


def natural_width(quad: np.ndarray, height: int = STRIP_H, share: float = TEXT_SHARE, side: float = 0.7) -> float:
    """The strip's width that keeps the text's own proportions."""
    across = (np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    tall = (np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    return share * height * (across / max(tall, 1e-6) + 2 * side)


def jitter(rng: np.random.Generator, quad: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """The quad as the closeup gives it: measured on drawn cards, its middle is off by a twelfth of the text's height, its

    height by a tenth, and its ends by an eighth, now and then by more than half.
    """
    tall = (np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    along = (quad[1] - quad[0] + quad[2] - quad[3]) / 2
    along = along / max(np.linalg.norm(along), 1e-6)
    down = np.array([-along[1], along[0]])
    out = quad + rng.normal(0, 0.03 * amount * tall, (4, 2)) + down * rng.normal(0, 0.07 * amount * tall)
    center = out.mean(0)
    across = (out - center) @ np.stack([along, down], 1)
    across[:, 1] *= np.exp(rng.normal(0.04, 0.1 * amount))
    reach = rng.choice((0.12, 0.4), size=2, p=(0.75, 0.25)) * amount
    # Cut short by more than this, digits would be gone that the label still names.
    ends = np.clip(rng.normal(0, reach), -0.4, 1.6) * tall
    across[:, 0] += np.array([-ends[0], ends[1], ends[1], -ends[0]])
    return center + across @ np.stack([along, down])
