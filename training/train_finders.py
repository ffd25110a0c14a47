"""Trains the locator and the closeup on drawn scenes: `python -m training.train_finders --minutes 30 --out DIR`."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from .draw.scene import Scene, draw_scene, picture_size
from .draw.layout import plan_blank, plan_card
from .draw.scene import KIND_WEIGHTS, KINDS
from .draw.seeds import stream
from .nets.maps import STRIDE, Closeup, Locator
from .pool import Pool
from .schedule import Average, Clock, one_thread, rate
from .windows import CANVASES, apply, canvas_for, cut, extent_of, window_matrix

# The locator's inputs, by the picture's proportions; the longer side is always 384.
LOCATOR_SHAPES = ((384, 288), (384, 256), (288, 384), (352, 352))
SHRINK = 0.94


def draw_training_scene(purpose: str, seed: int, index: int) -> Scene:
    """A scene of moderate size: larger pictures would only be scaled down again."""
    rng = stream(purpose, seed, index)
    kind = str(rng.choice(KINDS, p=KIND_WEIGHTS))
    plan = plan_blank(rng) if rng.random() < 0.06 else plan_card(rng)
    w, h = picture_size(rng, plan, kind)
    scale = (760 if kind == "many" else 640) / max(w, h)
    return draw_scene(rng, round(w * scale), round(h * scale), kind, plan=plan, any_roll=0.5)


def _mask(quads: list[np.ndarray], w: int, h: int) -> np.ndarray:
    """The covered share of each cell of a map of a w x h input."""
    fine = np.zeros((h, w), np.uint8)
    for quad in quads:
        cv2.fillConvexPoly(fine, np.round(quad * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return cv2.resize(fine, (w // STRIDE, h // STRIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _shrunk(quad: np.ndarray) -> np.ndarray:
    center = quad.mean(0)
    return center + (quad - center) * SHRINK


def reading_angle(quad: np.ndarray) -> float:
    """The direction of a quad's text, radians, 0 to the right, growing clockwise."""
    along = quad[1] - quad[0] + quad[2] - quad[3]
    return float(np.arctan2(along[1], along[0]))


def turned(scene: Scene, quarters: int) -> Scene:
    """The scene as a camera turned by quarters (counter-clockwise) would have taken it."""
    if quarters == 0:
        return scene
    h, w = scene.image.shape[:2]

    def turn(quad: np.ndarray) -> np.ndarray:
        x, y = quad[:, 0], quad[:, 1]
        return np.stack({1: (y, w - 1 - x), 2: (w - 1 - x, h - 1 - y), 3: (h - 1 - y, x)}[quarters], 1)

    cards = tuple(
        replace(c, card=turn(c.card), number=None if c.number is None else turn(c.number), dates=tuple((k, turn(q)) for k, q in c.dates))
        for c in scene.cards
    )
    return replace(scene, image=np.ascontiguousarray(np.rot90(scene.image, quarters)), cards=cards)


def locator_example(rng: np.random.Generator, scene: Scene, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The whole picture, squeezed into `shape`, mirrored never; and its four maps."""
    w, h = shape
    ih, iw = scene.image.shape[:2]
    # A random cut and stretch: archives crop carelessly.
    grow = np.exp(rng.normal(0.02, 0.06, 2))
    # Cards lie askew more often than drawn scenes have them; a turn of the whole picture is cheap.
    turn = rng.uniform(-1, 1) * np.radians(60) if rng.random() < 0.4 else 0.0
    zoom = 1.0 if turn == 0 else rng.uniform(0.75, 1.05)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * zoom
    m = np.zeros((2, 3))
    m[:, :2] = rotation * (w / iw / grow[0], h / ih / grow[1])
    m[:, 2] = np.array([w, h]) / 2 - m[:, :2] @ (np.array([iw, ih]) / 2) + rng.normal(0, 0.02, 2) * (w, h)
    image = cut(scene.image, m, shape)
    cards = [(_shrunk(apply(m, c.card)), None if c.number is None else apply(m, c.number), c) for c in scene.cards]
    card = _mask([q for q, _, _ in cards], w, h)
    number = _mask([q for _, q, _ in cards if q is not None], w, h)
    cos, sin = np.zeros_like(card), np.zeros_like(card)
    for quad, line, c in cards:
        angle = reading_angle(line if line is not None else quad)
        here = _mask([quad], w, h) > 0.5
        cos[here], sin[here] = np.cos(2 * angle), np.sin(2 * angle)
    return image, np.stack([card, number, cos, sin])


def closeup_example(rng: np.random.Generator, scene: Scene, amount: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """One card of a scene that has one, as the locator's rough answer would cut it, and its four maps."""
    card = scene.cards[rng.integers(len(scene.cards))]
    h, w = scene.image.shape[:2]
    line = card.number if card.number is not None else card.card
    flipped = rng.random() < 0.35
    angle = reading_angle(line) + np.pi * flipped + rng.normal(0, 0.03 if rng.random() < 0.7 else 0.13) * amount
    visible = np.clip(card.card, 0, (w, h))
    center = line.mean(0)
    left, top, right, bottom = extent_of(visible, center, angle)
    ww, wh = right - left, bottom - top
    off = rng.normal(0, 0.025, 4) * amount * max(ww, wh)
    # The runtime's other looks stand nearer and farther, and along the line alone (`src/engine/looks.ts`).
    zoom = np.exp(rng.uniform(np.log(0.6), np.log(1.6))) if rng.random() < 0.3 * amount else 1.0
    extent = tuple(np.array((left, top, right, bottom)) * zoom + off)
    if rng.random() < 0.1 * amount and card.number is not None:
        reach = np.linalg.norm(line[1] - line[0]) * rng.uniform(0.5, 0.8)
        extent = (-reach, -reach * 0.65, reach, reach * 0.65)
    canvas = canvas_for(extent[2] - extent[0], extent[3] - extent[1])
    m = window_matrix(center, angle, extent, canvas)
    image = cut(scene.image, m, canvas)
    quads = {kind: [apply(m, q) for k, q in card.dates if k == kind] for kind in ("issue", "expiry")}
    number = [] if card.number is None else [apply(m, card.number)]
    maps = [_mask(q, *canvas) for q in (number, quads["issue"], quads["expiry"], [apply(m, card.card)])]
    return image, np.stack([*maps, np.full_like(maps[0], flipped)])


def vary(rng: np.random.Generator, batch: np.ndarray) -> np.ndarray:
    """Cheap changes of colour and light on pixels (n, h, w, 3)."""
    out = batch.astype(np.float32)
    n = len(out)
    out = np.stack([image[..., rng.permutation(3)] if rng.random() < 0.2 else image for image in out])
    keep = np.where(rng.random((n, 1, 1, 1)) < 0.2, rng.uniform(0, 1, (n, 1, 1, 1)), 1).astype(np.float32)
    gray = out.mean(3, keepdims=True)
    out = gray + (out - gray) * keep
    gain, lift = np.exp(rng.normal(0, 0.15, (n, 1, 1, 1))), rng.normal(0, 12, (n, 1, 1, 1))
    return np.clip(out * gain + lift, 0, 255).astype(np.float32)


def tensors(rng: np.random.Generator, examples: list[tuple[np.ndarray, np.ndarray]], varied: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = np.stack([image[..., ::-1] for image, _ in examples])
    pixels = vary(rng, pixels) if varied else pixels.astype(np.float32)
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return x, torch.from_numpy(np.stack([maps for _, maps in examples]))


def mask_loss(logits: torch.Tensor, target: torch.Tensor, weight: float) -> torch.Tensor:
    """Cross-entropy with the text side weighted up, plus a dice term that does not drown in background."""
    entropy = F.binary_cross_entropy_with_logits(logits, target, pos_weight=torch.tensor(weight))
    p = logits.sigmoid()
    shown = target.amax((1, 2)) > 0.5
    if not shown.any():
        return 8 * entropy
    overlap = (p * target).sum((1, 2))
    dice = 1 - 2 * overlap / ((p * p).sum((1, 2)) + (target * target).sum((1, 2)) + 1e-3)
    return 8 * entropy + dice[shown].mean()


def locator_loss(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    here = target[:, 0] > 0.5
    turn = ((out[:, 2:] - target[:, 2:]) ** 2).sum(1)
    return mask_loss(out[:, 0], target[:, 0], 1.0) + mask_loss(out[:, 1], target[:, 1], 2.0) + (turn * here).sum() / (here.sum() + 1)


def closeup_loss(out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    # Dates are small and often absent: without the weight the maps would stay empty.
    masks = sum(mask_loss(out[:, k], target[:, k], weight) for k, weight in enumerate((1.5, 4.0, 4.0, 1.0)))
    text = target[:, :3].amax(1)
    upside = F.binary_cross_entropy_with_logits(out[:, 4], target[:, 4], reduction="none")
    return masks + (upside * text).sum() / (text.sum() + 1)


@torch.no_grad()
def overlaps(net: torch.nn.Module, examples: list[tuple[np.ndarray, np.ndarray]], maps: int) -> list[float]:
    """Intersection over union of each mask at 0.5, over examples that have it."""
    rng = np.random.default_rng(0)
    sums = np.zeros((maps, 2))
    for example in examples:
        x, target = tensors(rng, [example], varied=False)
        p, t = net(x)[0, :maps].sigmoid() > 0.5, target[0, :maps] > 0.5
        for k in range(maps):
            if t[k].any():
                sums[k] += (float((p[k] & t[k]).sum() / (p[k] | t[k]).sum()), 1)
    return list(np.round(sums[:, 0] / np.maximum(sums[:, 1], 1), 3))


@torch.no_grad()
def direction_error(net: torch.nn.Module, examples: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The share of cards whose axis (either way round) is off by over 10 degrees."""
    rng, off = np.random.default_rng(0), []
    for example in examples:
        x, target = tensors(rng, [example], varied=False)
        here = target[0, 0] > 0.5
        if not here.any():
            continue
        out = net(x)[0]
        seen = torch.atan2(out[3][here].mean(), out[2][here].mean())
        true = torch.atan2(target[0, 3][here].mean(), target[0, 2][here].mean())
        off.append(float(torch.sin((seen - true) / 2).abs()) > 0.17)
    return float(np.mean(off))


@torch.no_grad()
def upside_error(net: torch.nn.Module, examples: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The share of numbers taken for upside down when they are not, or the reverse."""
    rng, off = np.random.default_rng(0), []
    for example in examples:
        x, target = tensors(rng, [example], varied=False)
        here = target[0, 0] > 0.5
        if here.any():
            off.append(bool((net(x)[0, 4][here].mean() > 0) != (target[0, 4, 0, 0] > 0.5)))
    return float(np.mean(off))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", help="folder with checkpoints to go on from")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--pool", type=int, default=5000)
    parser.add_argument("--renew", type=int, default=2, help="scenes drawn per step")
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--only", choices=("locator", "closeup"), help="train one of the two; the other stays as it is")
    args = parser.parse_args()
    one_thread()
    torch.manual_seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([8, args.seed])
    wanted = [args.only] if args.only else ["locator", "closeup"]
    nets = {"locator": Locator(), "closeup": Closeup()}
    for name, net in nets.items():
        net.to(memory_format=torch.channels_last)
        if args.start:
            net.load_state_dict(torch.load(Path(args.start) / f"{name}.pt"))
    averages = {name: Average(net) for name, net in nets.items()}
    optimizer = torch.optim.AdamW([p for net in nets.values() for p in net.parameters()], lr=args.rate, weight_decay=0.01)
    held = np.random.default_rng(3)
    scenes = [draw_training_scene("validate", 3, i) for i in range(120)]
    check = {
        "locator": [locator_example(held, s, _shape_for(s)) for s in scenes],
        "closeup": [closeup_example(held, s, 0.7) for s in scenes if s.cards],
    }
    pool = Pool(args.pool, lambda i: draw_training_scene("train", args.seed + 1000, i))
    pool.fill(300)
    clock, step, last, mean = Clock(args.minutes), 0, time.monotonic(), np.zeros(len(wanted))
    while (progress := clock.progress()) < 1:
        pool.renew(args.renew * 2 if len(pool.items) < args.pool // 3 else args.renew)
        for group in optimizer.param_groups:
            group["lr"] = rate(progress, args.rate)
        losses = [STEPS[name](rng, nets[name], pool, args.batch) for name in wanted]
        optimizer.zero_grad()
        sum(losses).backward()
        for net in nets.values():
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        for name, net in nets.items():
            averages[name].update(net)
        step += 1
        mean += (np.array([loss.item() for loss in losses]) - mean) / min(step, 100)
        if step % 250 == 0 or step == 100:
            took, last = time.monotonic() - last, time.monotonic()
            for name, average in averages.items():
                torch.save(average.net.state_dict(), out / f"{name}.pt")
            scores = {name: overlaps(averages[name].net, check[name], 2 if name == "locator" else 4) for name in nets}
            turns = f"direction off {direction_error(averages['locator'].net, check['locator']):.3f}, upside wrong {upside_error(averages['closeup'].net, check['closeup']):.3f}"
            print(f"{progress:.3f} step {step} drawn {pool.next_index} loss {mean.round(3)} IoU {scores} {turns} {took:.0f} s", flush=True)
    for name, average in averages.items():
        torch.save(average.net.state_dict(), out / f"{name}.pt")


def _shape_for(scene: Scene, sideways: bool = False) -> tuple[int, int]:
    h, w = scene.image.shape[1::-1] if sideways else scene.image.shape[:2]
    return min(LOCATOR_SHAPES, key=lambda s: abs(np.log(s[0] / s[1] * h / w)))


def _likely(scene: Scene, canvas: tuple[int, int]) -> bool:
    """Whether a scene's card could suit a canvas that is not the usual one; spares cutting windows in vain."""
    portrait = any(card.plan.size[0] < card.plan.size[1] for card in scene.cards)
    return portrait if canvas[0] < canvas[1] else True


def _locator_step(rng, net, pool: Pool, count: int) -> torch.Tensor:
    shape = LOCATOR_SHAPES[rng.choice(4, p=(0.35, 0.35, 0.2, 0.1))]
    near = []
    for scene in pool.sample(rng, count * 12):
        quarters = int(rng.choice(4, p=(0.55, 0.15, 0.15, 0.15)))
        if _shape_for(scene, quarters % 2 == 1) == shape or rng.random() < 0.02:
            near.append(turned(scene, quarters))
        if len(near) == count:
            break
    x, target = tensors(rng, [locator_example(rng, s, shape) for s in near or pool.sample(rng, count)])
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x)
    return locator_loss(out.float(), target)


def _closeup_step(rng, net, pool: Pool, count: int) -> torch.Tensor:
    wanted = CANVASES[rng.choice(3, p=(0.78, 0.14, 0.08))]
    by_canvas: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {canvas: [] for canvas in CANVASES}
    for scene in pool.sample(rng, count * 12):
        if scene.cards and (wanted == CANVASES[0] or _likely(scene, wanted)):
            example = closeup_example(rng, scene)
            by_canvas[example[0].shape[1::-1]].append(example)
        if len(by_canvas[wanted]) >= count:
            break
    found = by_canvas[wanted] or max(by_canvas.values(), key=len)
    if not found:
        return _closeup_step(rng, net, pool, count)
    x, target = tensors(rng, found[:count])
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x)
    return closeup_loss(out.float(), target)


STEPS = {"locator": _locator_step, "closeup": _closeup_step}


if __name__ == "__main__":
    main()
