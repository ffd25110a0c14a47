"""Trains the reader on drawn strips: `python -m training.train_reader --minutes 30 --out DIR`."""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from .draw.seeds import stream
from .draw.strips import TEXT_SHARE, Strip, cut_matrix, draw_strip, jitter, natural_width, part_quad
from .nets.reader import ALPHABET, BLANK, Reader
from .pool import Pool
from .schedule import Average, Clock, one_thread, rate

LONG, SHORT = 384, 112
HEIGHT = 32
# Margin at either end, in text heights; the runtime's too (`src/engine/read.ts`).
SIDE = 0.7
PROBE_MARGIN = 8


def draw_example(seed: int, index: int) -> Strip:
    """Example `index` of a training: three numbers to each date, and a few strips without text."""
    rng = stream("train", seed, index)
    return draw_strip(rng, str(rng.choice(("number", "date", "nothing"), p=(0.73, 0.24, 0.03))))


def cut(rng: np.random.Generator, strip: Strip, width: int, amount: float = 1.0) -> tuple[np.ndarray, str]:
    """One training input of `width` px and its text: the strip as an imprecise detector would cut it."""
    quad, text, side, share = strip.quad, strip.text, max(0.45, rng.normal(SIDE, 0.12)), TEXT_SHARE
    part = width == SHORT and len(text) > 8
    if part:
        count = int(rng.integers(3, 6))
        first = int(rng.integers(0, len(text) - count + 1))
        start, end = strip.spans[first, 0], strip.spans[first + count - 1, 1]
        quad, text = part_quad(quad, start, end), text[first : first + count]
        # Cut out of a longer line there is no margin: the crop ends halfway to the next digit.
        amount, side, share = amount * 0.5, rng.uniform(0.02, 0.2), rng.uniform(0.66, 0.92)
    elif rng.random() < 0.15:
        side = rng.uniform(0.15, 0.5)
        amount *= 0.4
    if width == LONG and rng.random() < 0.02:
        # Upside down there is nothing to read.
        quad, text = np.roll(quad, 2, axis=0), ""
    quad = jitter(rng, quad, amount)
    natural = natural_width(quad, side=side, share=share)
    aim = width if rng.random() < 0.6 else min(width, natural * np.exp(rng.normal(0, 0.1)))
    if width == SHORT:
        aim = min(width, max(natural, len(text) * 16) * np.exp(rng.normal(0, 0.1)))
    image = strip.image
    if np.linalg.norm(quad[3] - quad[0]) > 2 * share * HEIGHT:
        # The runtime samples a picture of half the size rather than skip pixels.
        image, quad = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), quad * 0.5
    m = cut_matrix(quad, aim, side=side, share=share)
    offset = rng.uniform(0, width - aim)
    if part:
        # The rest of the input must not show the neighbours that the text leaves out: the crop's own edge is repeated.
        aim, offset = int(aim), int(offset)
        crop = cv2.warpPerspective(image, m, (aim, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cv2.copyMakeBorder(crop, 0, 0, offset, width - aim - offset, cv2.BORDER_REPLICATE), text
    m = np.array([[1, 0, offset], [0, 1, 0], [0, 0, 1]]) @ m
    return cv2.warpPerspective(image, m, (width, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), text


def art_through(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """What shows through digits without foil, as factors (h, w, 3): a card's art goes on over them, only the relief tells them.

    Of 34 real crops that were misread 20 had an edge of the art across their digits.
    """
    mask = np.zeros((h, w), np.uint8)
    kind = rng.random()
    if kind < 0.55:
        for _ in range(rng.integers(1, 2 + w // 60)):
            bend = rng.normal(0, (0.25 * w, 8), (6, 2)) if rng.random() < 0.6 else rng.normal(0, (12, 1), (2, 2))
            line = rng.uniform((0, 0), (w, h)) + np.cumsum(bend, 0)
            cv2.polylines(mask, [np.round(line * 16).astype(np.int32)], False, 255, int(rng.integers(1, 9)), cv2.LINE_AA, 4)
    elif kind < 0.8:
        for _ in range(rng.integers(1, 2 + w // 100)):
            area = rng.uniform((0, 0), (w, h)) + rng.normal(0, (30, 12), (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(mask, [np.round(area * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    else:
        cells = rng.random((2 + h // int(rng.integers(6, 16)), 2 + w // int(rng.integers(8, 40)))).astype(np.float32)
        mask = np.uint8(255 * (cv2.resize(cells, (w, h), interpolation=cv2.INTER_CUBIC) > rng.uniform(0.4, 0.7)))
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.2)).astype(np.float32)[..., None] / 255
    shade = np.exp(rng.uniform(np.log(0.3), np.log(0.85)) + rng.normal(0, 0.12, 3)) ** rng.choice((1, -0.6), p=(0.75, 0.25))
    return 1 + mask * (shade - 1)


def vary(rng: np.random.Generator, batch: np.ndarray) -> np.ndarray:
    """Cheap changes of colour and light on a uint8 batch (n, h, w, 3): makes one drawing into several."""
    out = batch.astype(np.float32)
    n = len(out)
    order = [rng.permutation(3) if rng.random() < 0.25 else np.arange(3) for _ in range(n)]
    out = np.stack([image[..., o] for image, o in zip(out, order, strict=True)])
    gray = out.mean(3, keepdims=True)
    keep = np.where(rng.random((n, 1, 1, 1)) < 0.2, rng.uniform(0, 1, (n, 1, 1, 1)), 1)
    out = gray + (out - gray) * keep
    out = np.where(rng.random((n, 1, 1, 1)) < 0.06, 255 - out, out)
    for i in np.flatnonzero(rng.random(n) < 0.22):
        out[i] *= art_through(rng, *out.shape[1:3])
    tilt = np.linspace(-1, 1, out.shape[2])[None, None, :, None] * rng.normal(0, 12, (n, 1, 1, 1))
    out = out + tilt + rng.normal(0, 1, out.shape[:3] + (1,)) * rng.exponential(3, (n, 1, 1, 1))
    return np.clip(out, 0, 255).astype(np.float32)


def batch_of(rng: np.random.Generator, strips: list[Strip], width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels (n, 3, 32, width) in RGB, all labels in a row, and each label's length."""
    pairs = [cut(rng, strip, width) for strip in strips]
    pixels = vary(rng, np.stack([image[..., ::-1] for image, _ in pairs]))
    labels = torch.tensor([ALPHABET.index(c) for _, text in pairs for c in text], dtype=torch.long)
    lengths = torch.tensor([len(text) for _, text in pairs])
    x = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return x, labels, lengths


def greedy(logits: torch.Tensor) -> list[str]:
    """The likeliest path of each strip, repeats and blanks removed."""
    out = []
    for row in logits.argmax(2).tolist():
        text = [ALPHABET[c] for i, c in enumerate(row) if c != BLANK and (i == 0 or row[i - 1] != c)]
        out.append("".join(text))
    return out


@torch.no_grad()
def exact(net: Reader, inputs: list[tuple[np.ndarray, str]]) -> float:
    """The share of strips (uint8 BGR) read exactly."""
    right = 0
    for image, text in inputs:
        x = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).permute(2, 0, 1)[None].float()
        right += greedy(net(x))[0] == text
    return right / max(len(inputs), 1)


def probe_inputs(folder: str) -> list[tuple[np.ndarray, str]]:
    """Labelled crops `<text>_<n>.<ext>` of a folder, `_` a gap, scaled to the reader's height."""
    out = []
    for path in sorted(Path(folder).iterdir()):
        image = cv2.imread(str(path))
        text = "".join(c for c in path.stem[:4] if c in ALPHABET)
        width = max(16, round(image.shape[1] * HEIGHT / image.shape[0] / 4) * 4)
        small = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA)
        # These crops end at the digits; the runtime's cuts have a margin, so they get one: their edge, repeated.
        out.append((cv2.copyMakeBorder(small, 0, 0, PROBE_MARGIN, PROBE_MARGIN, cv2.BORDER_REPLICATE), text))
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", help="checkpoint to go on from")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--pool", type=int, default=30000)
    parser.add_argument("--renew", type=int, default=12, help="strips drawn per step")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--probe", help="folder of labelled crops, measured but never trained on")
    args = parser.parse_args()
    one_thread()
    torch.manual_seed(args.seed)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([9, args.seed])
    net = Reader().to(memory_format=torch.channels_last)
    if args.start:
        net.load_state_dict(torch.load(args.start))
    average = Average(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=0.01)
    loss_of = torch.nn.CTCLoss(blank=BLANK, zero_infinity=True)
    held = np.random.default_rng(7)
    check = [cut(held, draw_strip(stream("validate", 1, i), "number"), LONG, 0.7) for i in range(400)]
    check_dates = [cut(held, draw_strip(stream("validate", 2, i), "date"), SHORT, 0.7) for i in range(300)]
    probe = probe_inputs(args.probe) if args.probe else []
    pool = Pool(args.pool, lambda i: draw_example(args.seed, i))
    pool.fill(1500)
    clock = Clock(args.minutes)
    step, seen, mean_loss, last = 0, 0, 0.0, time.monotonic()
    while (progress := clock.progress()) < 1:
        # Drawn faster at first: a small pool would be learnt by heart.
        pool.renew(args.renew * 2 if len(pool.items) < args.pool // 4 else args.renew)
        for group in optimizer.param_groups:
            group["lr"] = rate(progress, args.rate)
        numbers = [s for s in pool.sample(rng, args.batch * 2) if len(s.text) > 8 or not s.text][: args.batch]
        loss = 0.0
        for strips, width in ((numbers, LONG), (pool.sample(rng, args.batch), SHORT)):
            x, labels, lengths = batch_of(rng, strips, width)
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(x)
            steps = torch.full((len(strips),), logits.shape[1])
            scores = logits.float().log_softmax(2).transpose(0, 1)
            loss = loss + loss_of(scores, labels, steps, lengths)
            seen += len(strips)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update(net)
        step += 1
        mean_loss += (loss.item() - mean_loss) / min(step, 200)
        if step % 250 == 0 or step == 100:
            torch.save(average.net.state_dict(), out / "reader.pt")
            took, last = time.monotonic() - last, time.monotonic()
            print(
                f"{progress:.3f} step {step} seen {seen} drawn {pool.next_index} loss {mean_loss:.3f} numbers {exact(average.net, check):.3f} "
                f"dates {exact(average.net, check_dates):.3f} probe {exact(average.net, probe):.3f} {took:.0f} s",
                flush=True,
            )
    torch.save(average.net.state_dict(), out / "reader.pt")
    print(f"done: numbers {exact(average.net, check):.4f} dates {exact(average.net, check_dates):.4f} probe {exact(average.net, probe):.4f}", flush=True)


if __name__ == "__main__":
    main()
