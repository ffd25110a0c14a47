"""Where things stand on a card: number, dates, labels, names, by design families seen on Chinese and international cards."""

from dataclasses import dataclass, field, replace

import numpy as np

from .fonts import pick
from .numbers import CardDate, CardNumber, card_dates, card_number
from .runs import Run, face_metrics
from .strokes import StrokeStyle, stroke_style
from .view import CARD_H, CARD_W

# "free" is no design that was seen: its number stands anywhere, so that the finders learn numbers and not places.
LAYOUTS = ("classic", "debit", "modern", "vertical", "amex", "back", "free")
WEIGHTS = (0.22, 0.15, 0.08, 0.06, 0.03, 0.06, 0.40)
HELD_OUT_LAYOUTS = ("banner", "corner")

FROM_LABELS = ("VALID FROM", "VALID\nFROM", "FROM", "MEMBER FROM", "有效期自", "发卡日期", "ISSUED", "VALID\nFROM 起")
THRU_LABELS = ("VALID THRU", "VALID\nTHRU", "GOOD\nTHRU", "THRU", "MONTH/YEAR", "MONTH YEAR", "有效期", "有效期至", "VALID THRU 有效期至", "EXPIRES\nEND",
               "EXP", "MM/YY", "VALID\nDATE", "月/年", "VALID THRU\nMONTH/YEAR", "UNTIL END", "有效期 VALID THRU", "EXPIRY DATE")
BOTH_LABELS = ("VALID DATES", "MONTH/YEAR    MONTH/YEAR", "有效期 VALID DATES", "VALID FROM      VALID THRU", "MONTH/YEAR")
BANKS = ("中国银行", "工商银行", "建设银行", "农业银行", "交通银行", "招商银行", "邮政储蓄银行", "民生银行", "光大银行", "平安银行", "农村信用社", "城市商业银行")
ENGLISH = ("BANK OF CHINA", "ICBC", "China Construction Bank", "AGRICULTURAL BANK", "NATIONAL BANK", "CREDIT UNION", "First Savings", "GLOBAL TRUST", "Savings Card", "MERIDIAN")
KINDS = ("借记卡", "信用卡", "DEBIT", "CREDIT", "PLATINUM", "GOLD", "储蓄卡", "Classic", "DEBIT CARD", "白金卡", "贷记卡", "World", "BUSINESS")
FAMILY = ("ZHANG", "LI", "WANG", "CHEN", "SMITH", "MÜLLER", "GARCIA", "KIM", "SATO", "NOVAK", "JONES", "SINGH")
GIVEN = ("WEI", "NA", "XIAO MING", "JOHN", "MARIA", "ANNA K", "PETER", "YUKI", "LI HUA", "JEAN", "PRIYA", "OLGA")
SMALL = ("ATM", "www.bank.com.cn", "24小时客户服务热线 95588", "SINCE 1987", "闪付 QuickPass", "AUTHORIZED SIGNATURE", "ELECTRONIC USE ONLY", "95566", "400-820-8888",
         "客服热线:95533", "本卡仅限本人使用", "NOT TRANSFERABLE", "MEMBER SINCE 09", "国际信用卡", "UnionPay 银联", "www.example.com")


@dataclass(frozen=True)
class Label:
    """Plain printed text: `lines` one below the other from (`x`, `y`) mm, letters `height` mm high; `emboss` as the number is."""

    text: str
    x: float
    y: float
    height: float
    face: str
    emboss: bool = False


@dataclass(frozen=True)
class DateLine:
    """A date on the card; `kind` is issue or expiry."""

    kind: str
    date: CardDate
    run: Run


@dataclass(frozen=True)
class Plan:
    """Everything about one card but its pixels. `size` is (width, height) in mm, `portrait` cards stand upright."""

    layout: str
    size: tuple[float, float]
    number: CardNumber
    number_run: Run
    dates: tuple[DateLine, ...]
    labels: tuple[Label, ...]
    embossed: bool
    chip: tuple[float, float] | None
    stripe: float | None
    network: tuple[float, float] | None
    band: tuple[float, float] | None = None
    holdout: bool = False
    blank: bool = False
    extra: tuple[Run, ...] = field(default=())


def _wobble(rng, count: int, height: float) -> np.ndarray:
    """Small misplacements of glyphs in mm: embossing wheels and printers are not perfect."""
    return rng.normal(0, 1, (count, 2)) * (rng.choice((0.0, 0.005, 0.02)) * height)


def make_run(rng, text: str, x: float, y: float, height: float, face: StrokeStyle | str, room: float, tight: bool = False) -> Run:
    """Lays `text` out at (x, y), shrunk where it would be wider than `room` mm."""
    mono = isinstance(face, StrokeStyle) or rng.random() < 0.35
    if isinstance(face, StrokeStyle):
        pitch = height * max(rng.uniform(0.8, 0.95), face.width + 0.1)
        gap = pitch * rng.uniform(0.85, 1.15)
    else:
        _, tall, advances = face_metrics(face)
        natural = advances["0"] / tall * height
        pitch = natural * rng.uniform(1.0, 1.25) if mono else None
        gap = natural * rng.uniform(0.4, 1.3)
    if tight:
        gap *= 0.6
    spacing = 0.0 if mono else height * rng.choice((0.0, 0.03, 0.1, 0.2))
    run = Run(text, x, y, height, face, pitch, spacing, gap, _wobble(rng, len(text), height))
    x0, _, x1, _ = run.box()
    if x1 - x0 > room:
        shrink = room / (x1 - x0)
        run = replace(run, height=height * shrink, pitch=pitch and pitch * shrink, gap=gap * shrink, spacing=spacing * shrink)
    return run


def _moved(run: Run, x: float) -> Run:
    return replace(run, x=run.x + x - run.box()[0])


def plan_card(rng: np.random.Generator, holdout: bool = False, layout: str | None = None) -> Plan:
    """Draws a card's design. `holdout` uses only layouts, faces and strokes that training never sees, and right check digits."""
    number = card_number(rng, 0.0) if holdout else card_number(rng)
    if layout is None:
        layout = str(rng.choice(HELD_OUT_LAYOUTS)) if holdout else str(rng.choice(LAYOUTS, p=WEIGHTS))
    portrait = layout == "vertical"
    size = (CARD_H, CARD_W) if portrait else (CARD_W, CARD_H)
    embossed = rng.random() < {"classic": 0.92, "debit": 0.5, "amex": 0.85, "free": 0.45, "banner": 0.6, "corner": 0.3}.get(layout, 0.06)
    stroked = rng.random() < (0.93 if embossed else 0.12)
    face = stroke_style(rng, holdout) if stroked else pick(rng, "held-out" if holdout else "number")
    run = _number_run(rng, layout, size, number, face, embossed)
    dates, labels, taken = _dates(rng, layout, size, run, face, embossed, holdout)
    labels += _labels(rng, layout, size, run, embossed, taken)
    return Plan(
        layout=layout, size=size, number=number, number_run=run, dates=tuple(dates), labels=tuple(labels), embossed=embossed,
        chip=_chip(rng, run) if rng.random() < 0.4 and layout != "back" else None,
        stripe=rng.uniform(3, 7) if layout == "back" else None,
        network=_network(rng, layout, size, run),
        band=(run.y - rng.uniform(1, 3), run.height + rng.uniform(2, 6)) if layout == "banner" and rng.random() < 0.6 else None,
        holdout=holdout,
    )


def _chip(rng: np.random.Generator, number: Run) -> tuple[float, float] | None:
    """The chip's corner (mm); no number runs across one."""
    x, y = rng.uniform(8, 12), rng.uniform(17, 20)
    return None if _touch((x, y, x + 12.5, y + 10), number.box()) else (x, y)


def plan_blank(rng: np.random.Generator) -> Plan:
    """A card without a number: the plain side of a membership or chip card."""
    plan = plan_card(rng)
    return replace(plan, blank=True, dates=())


def _number_run(rng, layout, size, number, face, embossed) -> Run:
    w, _ = size
    text = number.printed
    if layout == "vertical":
        height, x, y = rng.uniform(2.4, 3.6), rng.uniform(3.5, 7), rng.uniform(15, 78)
    elif layout == "free":
        height, x, y = rng.uniform(2.2, 4.8), rng.uniform(3, 30), rng.uniform(3, 48)
    elif layout == "modern":
        height, x, y = rng.uniform(2.2, 3.6), rng.uniform(5, 25), rng.uniform(24, 44)
    elif layout == "corner":
        height, x, y = rng.uniform(2.4, 3.4), rng.uniform(5, 12), rng.uniform(42, 47)
    elif layout == "amex":
        height, x, y = rng.uniform(3.6, 4.4), rng.uniform(7, 12), rng.uniform(23, 30)
    elif layout == "back":
        height, x, y = rng.uniform(2.2, 4), rng.uniform(4, 20), rng.uniform(20, 44)
    elif embossed:
        height, x, y = rng.normal(4.15, 0.2), rng.uniform(5.5, 11), rng.normal(30.5, 1.2)
    else:
        height, x, y = rng.uniform(3, 5), rng.uniform(4.5, 14), rng.uniform(24, 38)
    if layout == "amex" and len(number.digits) == 16:
        text = number.digits[:4] + " " + number.digits[4:10] + " " + number.digits[10:]
    run = make_run(rng, text, x, y, height, face, w - x - rng.uniform(2.5, 6))
    x0, _, x1, _ = run.box()
    if rng.random() < 0.35:
        run = _moved(run, (w - (x1 - x0)) / 2 + rng.normal(0, 1.5))
    return run


def _label_face(rng, text: str) -> str:
    return pick(rng, "chinese" if any(ord(c) > 0x2E80 for c in text) else "label")


def _dates(rng, layout, size, number: Run, face, embossed, holdout):
    """Date lines with their labels; also the box (mm) they take, so that other text keeps off."""
    w, h = size
    # Debit cards often show no date; credit cards nearly always.
    chance = {"classic": 0.85, "debit": 0.3, "vertical": 0.6, "back": 0.65}.get(layout, 0.75)
    if rng.random() > chance:
        return [], [], None
    # What the hold-out showed to be missed most, the training shows more often: whole years, and dates one below the other.
    issue, expiry = card_dates(rng) if holdout else card_dates(rng, 0.15)
    kind = rng.random()
    shown = ["expiry"] if kind < 0.66 else ["issue", "expiry"] if kind < 0.95 else ["issue"]
    height = rng.uniform(2.0, 2.6) if layout in ("vertical", "modern", "back", "corner") else rng.uniform(2.2, 3.3)
    if isinstance(face, StrokeStyle) and rng.random() < 0.25:
        face = pick(rng, "held-out" if holdout else "number")
    y = min(h - height - 3, number.y + number.height + rng.uniform(2.2, 9))
    # On some designs the date stands above the number.
    if number.y > h - 14 or (rng.random() < 0.08 and number.y > 22):
        y = number.y - height - rng.uniform(2.5, 7)
    x = rng.uniform(5, w * 0.55)
    labels, lines = [], []
    stacked = len(shown) == 2 and rng.random() < (0.12 if holdout else 0.4)
    style, label_height = rng.random(), rng.uniform(0.9, 1.7)
    both = len(shown) == 2 and not stacked and rng.random() < 0.25
    unlabelled = rng.random() < 0.12 and shown != ["issue"]
    label_side = "left" if rng.random() < 0.5 else "above"
    if both:
        labels.append(_small(rng, BOTH_LABELS[rng.integers(len(BOTH_LABELS))], x, y - label_height * 1.6, label_height))
    for kind in shown:
        date = issue if kind == "issue" else expiry
        options = FROM_LABELS if kind == "issue" else THRU_LABELS
        text = options[rng.integers(len(options))]
        if not both and not unlabelled:
            label = _small(rng, text, x, y, label_height)
            if label_side == "left":
                x += _text_width(label) + rng.uniform(0.5, 2)
                label = replace(label, y=y + (height - label_height * 1.15 * (text.count("\n") + 1)) / 2)
            else:
                label = replace(label, y=y - label_height * (1.2 * text.count("\n") + 1) - rng.uniform(0.3, 1))
            labels.append(label)
        run = make_run(rng, date.printed, x, y, height, face, 22, tight=True)
        lines.append(DateLine(kind, date, run))
        if stacked:
            y, x = y + height + rng.uniform(1.0, 2.5), x if label_side == "above" else rng.uniform(5, w * 0.4)
            label_side = "left"
        else:
            x = run.box()[2] + rng.uniform(2, 9)
    last = max(line.run.box()[2] for line in lines)
    if last > w - 2:
        # Too far right: shift the whole block.
        shift = last - (w - 3)
        lines = [replace(line, run=replace(line.run, x=line.run.x - shift)) for line in lines]
        labels = [replace(label, x=label.x - shift) for label in labels]
    ys = [line.run.y for line in lines]
    texts = [number.box(), *(line.run.box() for line in lines)]
    labels = [label for label in labels if not any(_touch(_label_box(label), box) for box in texts)]
    return lines, labels, (min(ys) - 2, max(ys) + height)


def _label_box(label: Label) -> tuple[float, float, float, float]:
    return label.x, label.y, label.x + _text_width(label), label.y + label.height * (1 + 1.25 * label.text.count("\n"))


def _touch(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _small(rng, text: str, x: float, y: float, height: float) -> Label:
    return Label(text, x, y, height, _label_face(rng, text))


def _text_width(label: Label) -> float:
    longest = max(label.text.split("\n"), key=len)
    return sum(1.25 if ord(c) > 0x2E80 else 0.8 for c in longest) * label.height


def _labels(rng, layout, size, number: Run, embossed, taken) -> list[Label]:
    w, h = size
    out = []
    bank = BANKS[rng.integers(len(BANKS))] if rng.random() < 0.6 else ENGLISH[rng.integers(len(ENGLISH))]
    if layout != "back":
        out.append(Label(bank, rng.uniform(5, w * 0.4), rng.uniform(4, 9), rng.uniform(2.5, 5.5), _label_face(rng, bank)))
        if rng.random() < 0.6:
            text = KINDS[rng.integers(len(KINDS))]
            out.append(Label(text, rng.uniform(w * 0.55, w * 0.8), rng.uniform(4, 14), rng.uniform(1.8, 3.5), _label_face(rng, text)))
    if rng.random() < 0.35 and embossed:
        # The first four digits, printed small under the first group.
        slots = number.slots()
        out.append(Label(number.text[:4], slots[0][1] + rng.uniform(0, 2), number.y + number.height + rng.uniform(0.5, 1.3), rng.uniform(1.2, 1.8), pick(rng, "label")))
    low = taken[1] + 1.5 if taken and taken[1] > number.y else number.y + number.height + 5
    if rng.random() < 0.65 and low < h - 5:
        name = f"{FAMILY[rng.integers(len(FAMILY))]} {GIVEN[rng.integers(len(GIVEN))]}"
        out.append(Label(name, rng.uniform(5, 12), rng.uniform(low, h - 4.5), rng.uniform(2.0, 3.0), pick(rng, "label"), emboss=embossed and rng.random() < 0.85))
    for _ in range(rng.integers(0, 4)):
        text = SMALL[rng.integers(len(SMALL))]
        y = rng.uniform(14, h - 3)
        height = rng.uniform(1.1, 2.2)
        if number.y - 1.2 - height < y < number.y + number.height + 1.2 or (taken and taken[0] - 2 < y < taken[1] + 1):
            continue
        out.append(Label(text, rng.uniform(4, w * 0.65), y, height, _label_face(rng, text)))
    if layout == "back":
        out.append(Label(str(rng.integers(100, 1000)), rng.uniform(w * 0.6, w * 0.8), rng.uniform(15, 20), rng.uniform(2, 3), pick(rng, "label")))
    if rng.random() < 0.08:
        text = ("卡号", "NO.", "Card No.", "卡号 Card Number")[rng.integers(4)]
        out.append(Label(text, max(1, number.box()[0]), number.y - rng.uniform(2.2, 3), rng.uniform(1.1, 1.6), _label_face(rng, text)))
    return [label for label in out if not _touch(_label_box(label), number.box())]


def _network(rng, layout, size, number: Run) -> tuple[float, float] | None:
    if rng.random() > 0.75:
        return None
    w, h = size
    y = h - rng.uniform(10, 14) if number.y + number.height < h - 15 else rng.uniform(4, 12)
    return w - rng.uniform(16, 22), y


