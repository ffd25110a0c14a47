"""A pool of drawn examples that is renewed while training goes on, so that drawing costs a fraction of a step."""

from collections.abc import Callable

import numpy as np


class Pool:
    """Holds `size` examples made by `draw(index)`; `renew(count)` replaces the oldest."""

    def __init__(self, size: int, draw: Callable[[int], object], first: int = 0):
        self._draw = draw
        self._size = size
        self.items: list[object] = []
        self.next_index = first
        self._oldest = 0

    def fill(self, count: int) -> None:
        """Draws until the pool holds `count` examples."""
        while len(self.items) < min(count, self._size):
            self._add()

    def renew(self, count: int) -> None:
        """Draws `count` more; a full pool forgets as many."""
        for _ in range(count):
            self._add()

    def _add(self) -> None:
        item = self._draw(self.next_index)
        self.next_index += 1
        if len(self.items) < self._size:
            self.items.append(item)
        else:
            self.items[self._oldest] = item
            self._oldest = (self._oldest + 1) % self._size

    def sample(self, rng: np.random.Generator, count: int) -> list[object]:
        """`count` examples, with replacement."""
        return [self.items[i] for i in rng.integers(0, len(self.items), count)]
