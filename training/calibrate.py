"""Fits the confidence curves and the accept threshold: `python -m training.calibrate --features FILE... --out models/engine.json`.

The feature files are dumps of `training/measure.mjs` over drawn cards of the purpose `calibrate`, which no training and
no hold-out draws. The scales below are those of `terminology` in `src/engine/confidence.ts`.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.stats import beta

NAMES = ("nines", "logMass", "margin", "peak", "agreement", "quality")
# One drawn number in ten has a wrong check digit, so that no reader counts on right ones. Of cards, samples among them,
# fewer do: such a number counts as this much of one.
SELDOM = 0.1


def terms(f: dict) -> list[float]:
    """One text's features on the curve's scales."""
    log_mass = min(f["logMass"], 0.0)
    return [
        -math.log10(1 - min(math.exp(log_mass), 1 - 1e-6)),
        max(f["logMass"], -12.0),
        max(-6.0, min(12.0, f["margin"])),
        -math.log10(1 - min(f["leastPeak"], 1 - 1e-5)),
        f["agreement"],
        f["quality"],
    ]


def fit(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Logistic regression with weights that may not be negative: more evidence never lowers confidence.

    `counts` says how often each row is taken.
    """
    scale = np.maximum(np.abs(x).mean(0), 1e-6)
    z = x / scale

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        s = z @ p[1:] + p[0]
        value = (counts * (np.logaddexp(0, s) - y * s)).sum() + 0.5 * (p[1:] ** 2).sum()
        error = counts * (1 / (1 + np.exp(-s)) - y)
        return value, np.concatenate([[error.sum()], z.T @ error + p[1:]])

    found = minimize(loss, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=[(None, None)] + [(0, None)] * z.shape[1])
    return float(found.x[0]), found.x[1:] / scale


def apply(x: np.ndarray, bias: float, weights: np.ndarray, ceiling: float) -> np.ndarray:
    return np.minimum(1 / (1 + np.exp(-(x @ weights + bias))), ceiling)


def ece(p: np.ndarray, y: np.ndarray) -> float:
    """Expected calibration error over ten equal bins."""
    bins = np.minimum((p * 10).astype(int), 9)
    return float(sum((bins == b).mean() * abs(p[bins == b].mean() - y[bins == b].mean()) for b in range(10) if (bins == b).any()))


def upper_bound(wrong: int, total: int) -> float:
    """One-sided 90 % Clopper-Pearson bound of a rate."""
    return 1.0 if wrong >= total else float(beta.ppf(0.90, wrong + 1, total - wrong))


def curve(rows: list[tuple[dict, bool]], doubts: np.ndarray, counts: np.ndarray) -> tuple[dict, list[float], np.ndarray, np.ndarray]:
    """The curve, the factor by which each doubt (a column of 0 or 1) lowers the odds, and the probabilities with their truth.

    Fitted together: the curve is right for texts without a doubt.
    """
    x, y = np.array([terms(f) for f, _ in rows]), np.array([float(right) for _, right in rows])
    bias, weights = fit(np.hstack([x, 1 - doubts]), y, counts)
    weights, trust = weights[: x.shape[1]], weights[x.shape[1] :]
    bias += float(trust.sum())
    # Nothing may look surer than this many cards can show.
    ceiling = 1 - 1 / (len(y) + 2)
    p = apply(x, bias, weights, ceiling)
    odds = p / (1 - p) * np.exp(-doubts @ trust)
    named = {name: round(float(w), 6) for name, w in zip(NAMES, weights, strict=True) if w > 1e-9}
    return {"bias": round(bias, 6), "ceiling": round(ceiling, 6), "weights": named}, [float(f) for f in np.exp(-trust)], odds / (1 + odds), y


def threshold(p: np.ndarray, y: np.ndarray, cards: int, allowed: float) -> tuple[float, int, float]:
    """The lowest threshold whose wrong accepts, as a share of all cards, are bounded by `allowed`; (threshold, wrong, bound)."""
    best = (0.9999, 0, upper_bound(0, cards))
    for t in np.unique(np.concatenate([np.linspace(0.5, 0.99, 99), 1 - np.geomspace(0.01, 0.0002, 60)]))[::-1]:
        wrong = int(((p >= t) & (y == 0)).sum())
        if upper_bound(wrong, cards) > allowed:
            break
        best = (float(t), wrong, upper_bound(wrong, cards))
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", nargs="+", required=True, help="dumps; the threshold is chosen on the first alone")
    parser.add_argument("--out", required=True)
    parser.add_argument("--allowed", type=float, default=0.001, help="wrong accepts a card, bounded at 90 %%")
    args = parser.parse_args()
    files = [[json.loads(line) for line in Path(path).read_text().splitlines()] for path in args.features]
    rows = [r for rows in files for r in rows]
    numbered = [r for r in rows if r["features"]]
    numbers = [(r["features"], r["right"]) for r in numbered]
    dates = [(r[k]["features"], r[k]["right"]) for r in rows for k in ("expiry", "issue") if r[k] and r[k].get("features")]
    doubts = np.array([(not r["luhn"], not r["lengthFits"]) for r in numbered], float)
    card = np.array([r["checks"] is not False for r in numbered])
    number_curve, factors, p, y = curve(numbers, doubts, np.where(card, 1.0, SELDOM))
    date_curve, _, pd, yd = curve(dates, np.zeros((len(dates), 0)), np.ones(len(dates)))
    # What is chosen and told here is about numbers with right check digits, as cards have them.
    first = np.arange(len(numbered)) < sum(1 for r in files[0] if r["features"])
    cards = sum(1 for r in files[0] if r["checks"] is not False)
    accept, wrong, bound = threshold(p[first & card], y[first & card], cards, args.allowed)
    settings = {"acceptThreshold": round(accept, 5), "luhnPenalty": round(factors[0], 4), "lengthPenalty": round(factors[1], 4), "number": number_curve, "date": date_curve}
    Path(args.out).write_text(json.dumps(settings, indent=2) + "\n")

    def told(name: str, which: np.ndarray) -> None:
        if not which.any():
            return
        accepted = which & (p >= accept)
        print(f"{name}: {which.sum()} numbers read, right {y[which].mean():.4f}, ECE {ece(p[which], y[which]):.4f}, accepted {accepted.sum()}, wrong {int((accepted & (y == 0)).sum())}")

    print(f"threshold {accept:.5f}: {wrong} wrong of {cards} cards (90 % bound {bound:.5f}); factors {factors}; dates n {len(yd)} right {yd.mean():.4f} ECE {ece(pd, yd):.4f}")
    told("first file", first & card)
    told("other files", ~first & card)
    told("wrong check digits", ~card)


if __name__ == "__main__":
    main()
