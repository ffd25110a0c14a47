"""What all trainings share: one thread, a running average of the weights, a learning rate that ends at nothing."""

import copy
import math
import time

import cv2
import torch
from torch import nn


def one_thread() -> None:
    """Two threads on a shared machine are slower than one."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


class Average:
    """A moving average of a net's weights, which reads better than any single step's."""

    def __init__(self, net: nn.Module, keep: float = 0.999):
        self.net = copy.deepcopy(net).eval()
        self._keep = keep
        self._steps = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        self._steps += 1
        keep = min(self._keep, self._steps / (self._steps + 10))
        mine, theirs = self.net.state_dict(), net.state_dict()
        for name, value in mine.items():
            if value.dtype.is_floating_point:
                value.lerp_(theirs[name], 1 - keep)
            else:
                value.copy_(theirs[name])


class Clock:
    """A training run measured by the clock: `progress` goes 0..1 over `minutes`."""

    def __init__(self, minutes: float):
        self._start, self._seconds = time.monotonic(), minutes * 60

    def progress(self) -> float:
        return min(1.0, (time.monotonic() - self._start) / self._seconds)


def rate(progress: float, peak: float) -> float:
    """Learning rate: a short rise, a long hold, then a cosine to nothing over the last 40 %."""
    if progress < 0.02:
        return peak * max(progress / 0.02, 0.02)
    if progress < 0.6:
        return peak
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - 0.6) / 0.4))
