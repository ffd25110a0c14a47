"""Makes the folder `samples/`: `python -m training.samples --seed 2026 --out samples`.

About sixty drawn cards in the formats that archives hold, with one exact duplicate, one two-page file, one broken file,
and one whose name is its number; `truth.csv` lists every readable page.
"""

import argparse
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from .draw.__main__ import TRUTH, truth_row
from .draw.layout import Plan, plan_card
from .draw.scene import Scene, draw_scene
from .draw.seeds import stream


@dataclass(frozen=True)
class Wish:
    """One sample: where it goes, how it is staged, which designs will do."""

    name: str
    kind: str
    size: tuple[int, int]
    embossed: bool | None = None
    layout: str | None = None
    hard: float = 0.08
    any_roll: float = 0.0


def wishes() -> list[Wish]:
    """The sixty, folder by folder."""
    out = [Wish(f"embossed/card-{i:02d}.jpg", ("exact", "close", "photo")[i % 3], (856, 540), True) for i in range(1, 16)]
    out += [Wish(f"flat/card-{i:02d}.jpg", ("exact", "close")[i % 2], (856, 540), False) for i in range(1, 11)]
    out += [Wish(f"photos/img_{2100 + 7 * i}.jpg", "photo", (1024, 768), None, None, 0.12, 0.5) for i in range(1, 13)]
    out += [Wish(f"scans/scan-{i:03d}.png", "scan", (620, 440), None, None, 0.04) for i in range(1, 5)]
    out += [Wish(f"scans/2011/{i:04d}.tif", "exact", (600, 378), None, None, 0.05) for i in range(1, 4)]
    out += [Wish(f"scans/2008/k{i}.bmp", "exact", (442, 280), None, None, 0.03) for i in range(1, 4)]
    out += [Wish(f"web/{name}.webp", "close", (800, 505), None, None, 0.08) for name in ("front", "upload-1", "upload-2", "卡片")]
    out += [Wish(f"designs/{layout}.jpg", "close" if layout != "vertical" else "photo", (800, 505) if layout != "vertical" else (505, 800), None, layout) for layout in ("vertical", "amex", "back", "modern")]
    out += [Wish("turned/upside-down.jpg", "photo", (900, 640), None, None, 0.05, 0.0), Wish("turned/sideways-exif.jpg", "exact", (800, 505), True)]
    out += [Wish("hard/blurred.jpg", "photo", (800, 600), True, None, 0.95), Wish("hard/dark.jpg", "photo", (640, 480), True, None, 0.9)]
    return out


def _plan(seed: int, index: int, wish: Wish) -> tuple[np.random.Generator, Plan]:
    """The first design of this sample's stream that is as wished."""
    for part in range(500):
        rng = stream("draw", seed, index, part)
        plan = plan_card(rng, layout=wish.layout)
        fits = wish.embossed is None or plan.embossed == wish.embossed
        if fits and (wish.layout is not None or plan.layout != "vertical"):
            return rng, plan
    raise RuntimeError(f"no design fits {wish}")


def draw_sample(seed: int, index: int, wish: Wish) -> Scene:
    rng, plan = _plan(seed, index, wish)
    return draw_scene(rng, *wish.size, wish.kind, hard=wish.hard, any_roll=wish.any_roll, plan=plan)


def save(path: Path, image: np.ndarray) -> None:
    """Writes uint8 BGR in the format of the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    options = {".jpg": {"quality": 82}, ".webp": {"quality": 80}, ".tif": {"compression": "tiff_lzw"}}.get(path.suffix, {})
    picture.save(path, **options)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.samples")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", default="samples")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    out = Path(args.out)
    rows = []
    for index, wish in enumerate(wishes()):
        scene = draw_sample(args.seed, index, wish)
        image = scene.image
        if wish.name.startswith("turned/upside"):
            image = np.ascontiguousarray(image[::-1, ::-1])
        path = out / wish.name
        if "exif" in wish.name:
            _save_sideways(path, image)
        else:
            save(path, image)
        rows.append(truth_row(wish.name, 0, scene))
    rows += _two_pages(args.seed, out) + _special(args.seed, out, rows)
    with open(out / "truth.csv", "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, TRUTH, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["file"], row["page"])))
    size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    print(f"{len(rows)} readable pages, {size / 1e6:.2f} MB")


def _save_sideways(path: Path, image: np.ndarray) -> None:
    """Stored turned by a quarter, with the EXIF tag that turns it back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(image[..., ::-1]))).save(path, quality=82, exif=exif)


def _two_pages(seed: int, out: Path) -> list[dict]:
    scenes = [draw_sample(seed, 900 + page, Wish("", "exact", (600, 378), page == 0, None, 0.05)) for page in (0, 1)]
    pages = [Image.fromarray(np.ascontiguousarray(scene.image[..., ::-1])) for scene in scenes]
    name = "scans/two-pages.tif"
    pages[0].save(out / name, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    return [truth_row(name, page, scene) for page, scene in enumerate(scenes)]


def _special(seed: int, out: Path, rows: list[dict]) -> list[dict]:
    """The file named after its number, the exact duplicate, and the broken file that is meant to fail."""
    scene = draw_sample(seed, 950, Wish("", "exact", (800, 505), True, "classic", 0.05))
    digits = scene.cards[0].plan.number.digits
    named = f"named/{digits}.jpg"
    save(out / named, scene.image)
    first = next(row for row in rows if row["file"] == "embossed/card-03.jpg")
    shutil.copyfile(out / "embossed/card-03.jpg", out / "photos/img_2100-copy.jpg")
    broken = (out / "flat/card-01.jpg").read_bytes()
    (out / "broken").mkdir(exist_ok=True)
    (out / "broken/truncated.jpg").write_bytes(broken[: len(broken) // 3])
    return [truth_row(named, 0, scene), {**first, "file": "photos/img_2100-copy.jpg"}]


if __name__ == "__main__":
    main()
