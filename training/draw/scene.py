"""Whole pictures: a card photographed on a table, filling the frame, scanned, copied; several cards; none."""

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import photograph
from .card import boxes, paint_card
from .layout import Plan, plan_blank, plan_card
from .legible import LEAST_DATE_PX, LEAST_NUMBER_PX, Illegible, is_legible
from .table import no_card, scanner_lid, table
from .view import whole_card


@dataclass(frozen=True)
class SceneCard:
    """A card in a picture. Quads are (4, 2) px, clockwise from the text's own top-left; `number` is None on a blank side."""

    plan: Plan
    card: np.ndarray
    number: np.ndarray | None
    dates: tuple[tuple[str, np.ndarray], ...]


@dataclass(frozen=True)
class Scene:
    """`image` uint8 BGR (h, w, 3) and the cards in it; `kind` says how the picture was staged."""

    image: np.ndarray
    cards: tuple[SceneCard, ...]
    kind: str
    hard: float


KINDS = ("photo", "close", "exact", "scan", "many", "none")
KIND_WEIGHTS = (0.46, 0.22, 0.16, 0.1, 0.03, 0.03)


def _corners(plan: Plan) -> np.ndarray:
    w, h = plan.size
    return np.array([(0, 0), (w, 0), (w, h), (0, h)], float)


def _turned(points: np.ndarray, roll: float, pitch: float, yaw: float, distance: float) -> np.ndarray:
    """Corners in mm about the card's centre, seen by a pinhole camera `distance` card widths away; unit: card widths."""
    center = points.mean(0)
    p = np.concatenate([(points - center) / 85.6, np.zeros((4, 1))], 1)
    cp, sp, cy, sy, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    p = p @ np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    p = p @ np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    p = p @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return p[:, :2] * (distance / (distance + p[:, 2:]))


def _pose(rng: np.random.Generator, plan: Plan, kind: str, w: int, h: int, any_roll: float) -> np.ndarray:
    """Where the card's corners lie in a w x h picture."""
    flat = kind in ("scan", "many", "exact")
    roll = rng.normal(0, 0.06)
    if rng.random() < any_roll:
        roll = rng.uniform(-np.pi, np.pi) if rng.random() < 0.5 else rng.integers(4) * np.pi / 2 + rng.normal(0, 0.08)
    tilt = 0.0 if flat else np.radians(50) * rng.random() ** 1.6
    toward = rng.uniform(0, 2 * np.pi)
    quad = _turned(_corners(plan), roll, tilt * np.cos(toward), tilt * np.sin(toward), rng.uniform(1.8, 6))
    low, high = quad.min(0), quad.max(0)
    fill = {"photo": rng.uniform(0.42, 0.98), "close": rng.uniform(0.95, 1.22), "scan": rng.uniform(0.28, 0.9), "many": rng.uniform(0.28, 0.45)}.get(kind, 1.0)
    scale = fill * min(w / (high - low)[0], h / (high - low)[1])
    quad = (quad - (low + high) / 2) * scale
    room = np.abs(np.array([w, h]) - (high - low) * scale) / 2
    return quad + np.array([w, h]) / 2 + rng.uniform(-1, 1, 2) * room * (1.0 if kind in ("photo", "scan") else 0.6)


def _exact(rng: np.random.Generator, plan: Plan, w: int, h: int, any_roll: float) -> np.ndarray:
    """The card cropped to its edges, give or take a percent, right way up or turned by quarters."""
    quad = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
    if (plan.size[0] < plan.size[1]) != (w < h):
        quad = np.roll(quad, rng.choice((1, 3)), axis=0)
    if rng.random() < any_roll * 0.5:
        quad = np.roll(quad, 2, axis=0)
    return quad + rng.normal(0, 0.008, (4, 2)) * (w, h) * rng.choice((0, 1, 2.5))


def _place(rng, image: np.ndarray, plan: Plan, quad: np.ndarray, legible: bool) -> SceneCard:
    """Paints the card into the picture at `quad`, with its shadow."""
    edges = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
    w_mm, h_mm = plan.size
    scale = float(np.clip(max(max(edges[0], edges[2]) / w_mm, max(edges[1], edges[3]) / h_mm), 1.0, 26))
    view = whole_card(scale, plan.size[0] < plan.size[1])
    surface = paint_card(rng, plan, view, legible=legible)
    corners_px = np.array([(0, 0), (view.w, 0), (view.w, view.h), (0, view.h)], np.float32)
    m = cv2.getPerspectiveTransform(corners_px, quad.astype(np.float32))
    h, w = image.shape[:2]
    # Work only where the card is.
    x0, y0 = np.maximum(np.floor(quad.min(0)).astype(int) - 12, 0)
    x1, y1 = np.minimum(np.ceil(quad.max(0)).astype(int) + 12, (w, h))
    if x1 - x0 < 4 or y1 - y0 < 4:
        raise ValueError("the card lies outside the picture")
    shift = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], float)
    size = (int(x1 - x0), int(y1 - y0))
    shape = np.zeros((view.h, view.w), np.uint8)
    radius = round(3.2 * scale * rng.uniform(0.8, 1.1))
    cv2.rectangle(shape, (radius, 0), (view.w - radius, view.h), 255, -1)
    cv2.rectangle(shape, (0, radius), (view.w, view.h - radius), 255, -1)
    for cx, cy in ((radius, radius), (view.w - radius, radius), (radius, view.h - radius), (view.w - radius, view.h - radius)):
        cv2.circle(shape, (cx, cy), radius, 255, -1, cv2.LINE_AA)
    card = cv2.warpPerspective(surface, shift @ m, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(shape, shift @ m, size, flags=cv2.INTER_LINEAR).astype(np.float32) / 255
    part = image[y0:y1, x0:x1]
    if rng.random() < 0.7:
        reach = float(edges.mean()) * rng.uniform(0.005, 0.04)
        move = np.array([[1, 0, rng.normal(0, reach)], [0, 1, rng.normal(0, reach)]], np.float32)
        dark = cv2.GaussianBlur(cv2.warpAffine(alpha, move, size), (0, 0), max(reach * 0.7, 0.8))
        part *= (1 - np.float32(rng.uniform(0.2, 0.7)) * dark)[..., None]
    part += alpha[..., None] * (card - part)
    where = cv2.getPerspectiveTransform(_corners(plan).astype(np.float32), quad.astype(np.float32))
    return _truth(plan, quad, where)


def _finger(rng, image: np.ndarray, cards: tuple[SceneCard, ...]) -> None:
    """A finger that holds the card down by its edge, clear of number and dates."""
    h, w = image.shape[:2]
    quad = cards[0].card
    side = int(rng.integers(4))
    edge = quad[side] + (quad[(side + 1) % 4] - quad[side]) * rng.uniform(0.1, 0.9)
    inward = (quad.mean(0) - edge) / max(float(np.linalg.norm(quad.mean(0) - edge)), 1.0)
    width = float(np.linalg.norm(quad[1] - quad[0])) * rng.uniform(0.1, 0.2)
    tip, root = edge + inward * width * rng.uniform(0.3, 1.2), edge - inward * max(w, h)
    mask = np.zeros((h, w), np.uint8)
    cv2.line(mask, tuple(int(v) for v in root), tuple(int(v) for v in tip), 255, max(2, int(width)), cv2.LINE_AA)
    texts = [q for card in cards for q in ([card.number] if card.number is not None else []) + [q for _, q in card.dates]]
    covered = np.zeros((h, w), np.uint8)
    for text in texts:
        cv2.fillConvexPoly(covered, np.round(text).astype(np.int32), 255)
    if (cv2.dilate(mask, np.ones((9, 9), np.uint8)) & covered).any():
        return
    skin = np.array((0.45, 0.55, 0.78), np.float32) * np.float32(rng.uniform(0.4, 1.15)) + rng.normal(0, 0.03, 3).astype(np.float32)
    soft = cv2.GaussianBlur(mask, (0, 0), max(width * 0.02, 0.6)).astype(np.float32) / 255
    round_ = cv2.GaussianBlur(mask, (0, 0), max(width * 0.25, 1.0)).astype(np.float32)[..., None] / 255
    image += soft[..., None] * (np.clip(skin * (0.45 + 0.65 * round_), 0, 1) - image)


def _truth(plan: Plan, quad: np.ndarray, where: np.ndarray) -> SceneCard:
    found = boxes(plan)

    def seen(box) -> np.ndarray:
        x0, y0, x1, y1 = box
        return cv2.perspectiveTransform(np.array([[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]], np.float64), where)[0]

    return SceneCard(plan, quad, None if found.number is None else seen(found.number), tuple((kind, seen(box)) for kind, box in found.dates))


def _inside(quad: np.ndarray, w: int, h: int, slack: float = 0.0) -> bool:
    low, high = quad.min(0), quad.max(0)
    return bool((low >= -slack).all() and high[0] <= w + slack and high[1] <= h + slack)


def draw_scene(rng: np.random.Generator, w: int, h: int, kind: str | None = None, holdout: bool = False, hard: float | None = None,
               any_roll: float = 0.4, plan: Plan | None = None, least_px: float = 4.0, legible: bool = False) -> Scene:
    """Draws a picture of w x h px.

    `kind` is one of KINDS, `hard` 0..1 how bad lens and light are, `any_roll` the share of cards not upright. Every
    number lies wholly inside the picture, with digits at least `least_px` high. Raises `Illegible` where everything has to be
    `legible` and this card is not.
    """
    kind = kind or str(rng.choice(KINDS, p=KIND_WEIGHTS))
    hard = rng.random() ** 2.5 if hard is None else hard
    if kind == "none":
        image = no_card(rng, w, h)
        return Scene(photograph(rng, image, h / 14, hard), (), kind, hard)
    plan = plan or (plan_blank(rng) if rng.random() < 0.04 else plan_card(rng, holdout))
    quads, plans = _arrange(rng, plan, kind, w, h, any_roll, holdout, least_px)
    image = scanner_lid(rng, w, h) if kind in ("scan", "many") else table(rng, w, h)
    cards = tuple(_place(rng, image, p, q, legible) for p, q in zip(plans, quads, strict=True))
    if kind in ("photo", "close") and rng.random() < 0.12:
        _finger(rng, image, cards)
    unit = max(4.0, float(np.linalg.norm(quads[0][3] - quads[0][0])) / 54 * 4)
    scene = Scene(photograph(rng, image, unit, hard), cards, kind, hard)
    if legible and not all(_legible(scene.image, card) for card in cards):
        raise Illegible
    return scene


def _legible(image: np.ndarray, card: SceneCard) -> bool:
    number = [] if card.number is None else [(card.number, LEAST_NUMBER_PX, len(card.plan.number.digits))]
    dates = [(quad, LEAST_DATE_PX, len(line.date.printed)) for (_, quad), line in zip(card.dates, card.plan.dates, strict=True)]
    return all(is_legible(image, *line) for line in number + dates)


def _arrange(rng, plan: Plan, kind: str, w: int, h: int, any_roll: float, holdout: bool, least_px: float) -> tuple[list[np.ndarray], list[Plan]]:
    """Corners for one card, or for several that do not overlap."""
    wanted = int(rng.integers(2, 6)) if kind == "many" else 1
    quads: list[np.ndarray] = []
    plans: list[Plan] = []
    for attempt in range(60):
        this = plan if not plans else plan_card(rng, holdout)
        quad = _exact(rng, this, w, h, any_roll) if kind == "exact" else _pose(rng, this, "photo" if attempt > 30 and kind == "close" else kind, w, h, any_roll)
        if kind == "many":
            low, high = quad.min(0), quad.max(0)
            quad = quad - low + rng.uniform((0, 0), np.maximum((w, h) - (high - low), 1))
        where = cv2.getPerspectiveTransform(_corners(this).astype(np.float32), quad.astype(np.float32))
        truth = _truth(this, quad, where)
        text = [truth.number] if truth.number is not None else []
        if not all(_inside(q, w, h, -1) for q in text + [q for _, q in truth.dates]):
            continue
        if text and min(np.linalg.norm(text[0][3] - text[0][0]), np.linalg.norm(text[0][2] - text[0][1])) < least_px:
            continue
        if any(_overlap(quad, other) for other in quads) or (kind == "many" and not _inside(quad, w, h)):
            continue
        quads.append(quad)
        plans.append(this)
        if len(quads) == wanted:
            break
    if not quads:
        quads, plans = [_pose(rng, plan, "photo", w, h, 0) * 0.8 + np.array([w, h]) * 0.1], [plan]
    return quads, plans


def _overlap(a: np.ndarray, b: np.ndarray) -> bool:
    area, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    return area > 0


SIZES = ((1012, 638), (1012, 638), (800, 600), (1024, 768), (1280, 960), (1600, 1200), (640, 480), (442, 280), (1240, 780))


def picture_size(rng: np.random.Generator, plan: Plan, kind: str) -> tuple[int, int]:
    """A usual picture size for `kind`, standing where the card stands."""
    w, h = SIZES[rng.integers(len(SIZES))]
    if kind == "many":
        w, h = 1654, 1170
    if kind == "exact":
        h = round(w * 53.98 / 85.6)
    if plan.size[0] < plan.size[1] or (kind in ("photo", "scan", "many") and rng.random() < 0.12):
        w, h = h, w
    return w, h
