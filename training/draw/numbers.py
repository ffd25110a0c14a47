"""Card numbers and dates: lengths, prefixes, check digits, and the ways they are grouped in print."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"
TYPES = {"DC": "debit", "CC": "credit", "SCC": "semi-credit", "PC": "prepaid"}

# Network prefixes for the half of the numbers that belongs to no listed issuer: (prefix, lengths, weight).
NETWORKS = (
    ("62", (16, 19, 19, 17, 18), 5),
    ("4", (16,), 3),
    ("5", (16,), 3),
    ("2", (16,), 0.4),
    ("34", (15,), 0.3),
    ("37", (15,), 0.5),
    ("35", (16,), 0.7),
    ("36", (14, 16), 0.2),
    ("30", (14,), 0.1),
    ("6011", (16,), 0.4),
    ("65", (16,), 0.3),
    ("9", (16, 19, 18), 0.6),
    ("81", (16, 19), 0.3),
)

# How many digits stand together, by length; the first of a row is the commonest.
GROUPS = {
    14: ((4, 6, 4), (14,)),
    15: ((4, 6, 5), (15,)),
    16: ((4, 4, 4, 4), (4, 4, 4, 4), (4, 4, 4, 4), (16,), (6, 10)),
    17: ((4, 4, 4, 5), (6, 11), (17,)),
    18: ((6, 12), (18,), (4, 4, 4, 6), (4, 4, 4, 4, 2)),
    19: ((6, 13), (4, 4, 4, 4, 3), (19,), (6, 13), (5, 4, 5, 5), (4, 4, 4, 7)),
}


@dataclass(frozen=True)
class CardNumber:
    """`digits` without spaces; `groups` as printed; `bank` and `type` empty when no issuer lists the prefix."""

    digits: str
    groups: tuple[int, ...]
    bank: str
    type: str

    @property
    def printed(self) -> str:
        out, at = [], 0
        for size in self.groups:
            out.append(self.digits[at : at + size])
            at += size
        return " ".join(out)


@lru_cache(maxsize=1)
def issuers() -> dict[str, tuple[str, str, int]]:
    """Prefix -> (bank name, type, number length), from the table in `data/`."""
    with open(DATA / "name.csv", encoding="utf-8") as handle:
        names = {row["bank"]: row["bank"] and row["name"] for row in csv.DictReader(handle)}
    with open(DATA / "bin.csv", encoding="utf-8") as handle:
        return {
            row["bin"]: (names.get(row["bank"], row["bank"]), TYPES.get(row["type"], ""), int(row["length"]))
            for row in csv.DictReader(handle)
        }


def issuer_of(digits: str) -> tuple[str, str]:
    """Bank name and type by the longest listed prefix, one listed with this length first; else two empty strings."""
    fallback = ("", "")
    for size in range(10, 3, -1):
        found = issuers().get(digits[:size])
        if found is None:
            continue
        if found[2] == len(digits):
            return found[0], found[1]
        fallback = fallback if fallback[0] else (found[0], found[1])
    return fallback


def luhn_digit(head: str) -> str:
    """The check digit that makes `head` + digit valid (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, char in enumerate(reversed(head)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def _body(rng: np.random.Generator, prefix: str, length: int) -> str:
    """The digits between prefix and check digit: mostly random, some with the long runs of sample cards."""
    count = length - len(prefix) - 1
    kind = rng.random()
    if kind < 0.05:
        return str(rng.integers(10)) * count
    digits = rng.integers(0, 10, count)
    if kind < 0.2:
        for _ in range(rng.integers(1, 4)):
            start = rng.integers(0, max(1, count - 2))
            digits[start : start + rng.integers(2, 6)] = rng.choice((0, 0, 1, 1, 8, rng.integers(10)))
    return "".join(map(str, digits))


def card_number(rng: np.random.Generator, wrong_checks: float = 0.1) -> CardNumber:
    """Draws a number: half with a listed issuer's prefix, one in ten with a wrong check digit, which cards do not have but

    a reader must not learn to count on.
    """
    if rng.random() < 0.5:
        prefix = str(rng.choice(_prefixes()))
        length = issuers()[prefix][2]
    else:
        weights = np.array([w for _, _, w in NETWORKS])
        prefix, lengths, _ = NETWORKS[rng.choice(len(NETWORKS), p=weights / weights.sum())]
        length = int(rng.choice(lengths))
    if length not in GROUPS:
        length = 16
    head = prefix + _body(rng, prefix, length)
    check = luhn_digit(head) if rng.random() >= wrong_checks else str(rng.integers(10))
    digits = head + check
    groups = GROUPS[length][rng.integers(len(GROUPS[length]))]
    bank, kind = issuer_of(digits)
    return CardNumber(digits, tuple(groups), bank, kind)


@lru_cache(maxsize=1)
def _prefixes() -> np.ndarray:
    return np.array(sorted(issuers()))


@dataclass(frozen=True)
class CardDate:
    """A month and how it is printed; `printed` uses only digits and '/'."""

    year: int
    month: int
    printed: str

    @property
    def iso(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def card_dates(rng: np.random.Generator, whole_years: float = 0.05) -> tuple[CardDate, CardDate]:
    """An issue date and a later expiry date, 2000 to 2049, printed alike; a share of them with four digits of the year."""
    year, month = int(rng.integers(2000, 2040)), int(rng.integers(1, 13))
    end = min(2049, year + int(rng.choice((3, 4, 5, 5, 5, 6, 8, 10))))
    last = month if rng.random() < 0.6 else int(rng.integers(1, 13))
    pattern = "{m:02d}/{y:04d}" if rng.random() < whole_years else "{m:02d}/{s:02d}"
    return tuple(
        CardDate(y, m, pattern.format(m=m, y=y, s=y % 100)) for y, m in ((year, month), (end, last))
    )
