"""`python -m training.draw --seed N --count 300 --out DIR`: cards as pictures, with their truth.

Writes the pictures, `truth.csv` (one line a readable page) and `scenes.ndjson` (quads, layout and staging of each).
"""

import argparse
import csv
import json
from pathlib import Path

import cv2
import numpy as np

from .layout import plan_blank, plan_card
from .legible import MOST_HARD, Illegible
from .numbers import issuer_of
from .scene import KIND_WEIGHTS, KINDS, Scene, draw_scene, picture_size
from .seeds import PURPOSES, stream

# Smaller digits than this a person reads with trouble, if at all.
LEAST_DIGIT_PX = 11
TRUTH = ("file", "page", "number", "issueDate", "expiryDate", "bank", "type")
# What kind of picture it is: `cardbatch evaluate` divides its figures by such columns.
STRATA = ("design", "look", "staged", "lean", "digitPx")


def truth_row(name: str, page: int, scene: Scene) -> dict[str, str | int]:
    """The truth of a picture's first card; empty fields where it has none."""
    row: dict[str, str | int] = dict.fromkeys(TRUTH, "")
    row.update(file=name, page=page)
    if scene.cards and not scene.cards[0].plan.blank:
        plan = scene.cards[0].plan
        bank, kind = issuer_of(plan.number.digits)
        row.update(number=plan.number.digits, bank=bank, type=kind)
        row.update({f"{line.kind}Date": line.date.iso for line in plan.dates})
    return row


def strata(scene: Scene) -> dict[str, str]:
    """Design, look and staging of a picture's first number; how far its corners lean (degrees), how high its digits are (px)."""
    out = {"staged": scene.kind}
    if not scene.cards or scene.cards[0].number is None:
        return out
    card = scene.cards[0]
    top, right, bottom, left = np.roll(card.number, -1, 0) - card.number
    square = top[0] * right[1] - top[1] * right[0]
    lean = np.degrees(np.arccos(np.clip(square / (np.hypot(*top) * np.hypot(*right)), -1, 1)))
    height = (np.hypot(*right) + np.hypot(*left)) / 2
    return out | {
        "design": card.plan.layout,
        "look": "embossed" if card.plan.embossed else "flat",
        "lean": _step(lean, (5, 15)),
        "digitPx": _step(height, (16, 24, 40)),
    }


def _step(value: float, edges: tuple[int, ...]) -> str:
    """`under 5`, `5 to 15`, `over 15`"""
    if value < edges[0]:
        return f"under {edges[0]}"
    for low, high in zip(edges, edges[1:], strict=False):
        if value < high:
            return f"{low} to {high}"
    return f"over {edges[-1]}"


def staging(name: str, scene: Scene) -> dict:
    """What `scenes.ndjson` says of a picture: how it was staged, and where everything is, in px."""
    cards = [
        {
            "layout": card.plan.layout, "embossed": card.plan.embossed, "digits": card.plan.number.digits if not card.plan.blank else None,
            "card": card.card.round(2).tolist(), "number": None if card.number is None else card.number.round(2).tolist(),
            "dates": {kind: quad.round(2).tolist() for kind, quad in card.dates},
        }
        for card in scene.cards
    ]
    h, w = scene.image.shape[:2]
    return {"file": name, "kind": scene.kind, "hard": round(float(scene.hard), 3), "width": w, "height": h, "cards": cards}


def draw_picture(rng: np.random.Generator, holdout: bool, degraded: bool, single: bool, legible: bool) -> Scene:
    """One picture of the mix that archives hold; `single` leaves out none and many."""
    weights = np.array(KIND_WEIGHTS)
    if single:
        weights = weights * [k not in ("many", "none") for k in KINDS]
    while True:
        kind = str(rng.choice(KINDS, p=weights / weights.sum()))
        plan = plan_card(rng, holdout)
        w, h = picture_size(rng, plan, kind)
        # Few pictures are bad: an archive is mostly legible.
        level = rng.uniform(MOST_HARD, 1.0) if degraded else rng.random() ** 4 * (MOST_HARD if legible else 0.7)
        try:
            return draw_scene(rng, w, h, kind, holdout, level, any_roll=0.25, plan=plan, least_px=LEAST_DIGIT_PX, legible=legible)
        except Illegible:
            continue


def draw_bare(rng: np.random.Generator) -> Scene:
    """A picture in which there is no number to read: blank sides of cards, documents, tables."""
    blank = rng.random() < 0.4
    plan = plan_blank(rng) if blank else plan_card(rng)
    kind = "photo" if blank else "none"
    return draw_scene(rng, *picture_size(rng, plan, kind), kind, plan=plan, any_roll=0.3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.draw")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--out", required=True)
    parser.add_argument("--first", type=int, default=0, help="index of the first picture")
    parser.add_argument("--holdout", action="store_true", help="only layouts, faces and strokes that training never sees; legible unless --degraded")
    parser.add_argument("--degraded", action="store_true", help="bad light, blur and resolution throughout")
    parser.add_argument("--legible", action="store_true", help="only what a person can read, as with --holdout")
    parser.add_argument("--every-kind", action="store_true", help="also pictures of several cards and of none")
    parser.add_argument("--bare", action="store_true", help="only pictures without a number")
    parser.add_argument("--webp", action="store_true", help="WebP, a third of the size, for pictures that are kept in the repository")
    parser.add_argument("--purpose", choices=sorted(PURPOSES), default="draw")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    legible = args.legible or (args.holdout and not args.degraded)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    # Line by line: what an interrupted drawing leaves is of use.
    with open(out / "truth.csv", "w", 1, newline="", encoding="utf-8") as truth, open(out / "scenes.ndjson", "w", 1, encoding="utf-8") as scenes:
        writer = csv.DictWriter(truth, (*TRUTH, *STRATA), lineterminator="\n")
        writer.writeheader()
        for index in range(args.first, args.first + args.count):
            rng = stream(args.purpose, args.seed, index)
            scene = draw_bare(rng) if args.bare else draw_picture(rng, args.holdout, args.degraded, not args.every_kind, legible)
            name = f"{index:05d}.{'webp' if args.webp else 'jpg'}"
            how = (cv2.IMWRITE_WEBP_QUALITY, 80) if args.webp else (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96)))
            cv2.imwrite(str(out / name), scene.image, how)
            writer.writerow(truth_row(name, 0, scene) | strata(scene))
            scenes.write(json.dumps(staging(name, scene), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
