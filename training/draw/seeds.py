"""Random streams that cannot meet: a purpose is part of the key of every stream.

numpy's SeedSequence hashes the whole key, so streams of two purposes differ whatever seeds a person types.
That is why a seed given on the command line can never bring back a picture of the training.
"""

import numpy as np

PURPOSES = {"draw": 1, "train": 2, "calibrate": 3, "validate": 4}


def stream(purpose: str, seed: int, index: int = 0, part: int = 0) -> np.random.Generator:
    """The generator of one picture: `purpose` is a key of PURPOSES, `seed` and `index` are not negative."""
    return np.random.default_rng([PURPOSES[purpose], seed, index, part])
