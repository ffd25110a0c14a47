"""The finders: small U-shaped nets that draw maps of a picture at a quarter of its size.

`Locator` looks at the whole picture, `Closeup` at one card that has been turned upright, or upside down.
"""

import torch
import torch.nn.functional as F
from torch import nn

STRIDE = 4
LOCATOR_MAPS = ("card", "number", "cos", "sin")
CLOSEUP_MAPS = ("number", "issue", "expiry", "card", "upside")


def _conv(cin: int, cout: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, 3, stride, dilation, dilation, bias=False), nn.BatchNorm2d(cout), nn.ReLU(True))


class _Residual(nn.Module):
    def __init__(self, channels: int, dilation: int = 1):
        super().__init__()
        self.body = _conv(channels, channels, 1, dilation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class MapNet(nn.Module):
    """(n, 3, h, w) RGB pixels 0..255, h and w multiples of 32 -> (n, maps, h / 4, w / 4) logits."""

    def __init__(self, maps: int, dilations: tuple[int, ...] = (1, 2, 4, 1)):
        super().__init__()
        a, b, c, d = 12, 24, 48, 80
        self.first = _conv(3, a, 2)
        self.second = _conv(a, b, 2)
        self.third = nn.Sequential(_conv(b, c, 2), _Residual(c))
        self.fourth = nn.Sequential(_conv(c, d, 2), *(_Residual(d, n) for n in dilations))
        self.down_d = nn.Conv2d(d, c, 1)
        self.mix_c = _conv(c, c)
        self.down_c = nn.Conv2d(c, b, 1)
        self.mix_b = _conv(b, b)
        self.head = nn.Conv2d(b, maps, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - 118.0) * (1 / 64.0)
        q = self.second(self.first(x))
        e = self.third(q)
        s = self.fourth(e)
        e = self.mix_c(e + F.interpolate(self.down_d(s), scale_factor=2.0, mode="nearest"))
        q = self.mix_b(q + F.interpolate(self.down_c(e), scale_factor=2.0, mode="nearest"))
        return self.head(q)


class Locator(MapNet):
    """Maps of LOCATOR_MAPS: card (drawn 6 % smaller, so that neighbours stay apart), number line, and the axis along which

    the number reads, as cosine and sine (not logits) of twice its angle, where there is card. Twice, because at this
    size upright and upside down look alike: their plain directions would cancel out.
    """

    def __init__(self):
        super().__init__(len(LOCATOR_MAPS))


class Closeup(MapNet):
    """Maps of CLOSEUP_MAPS: tight masks of the number, the issue date and the expiry date, the whole card, and, meaningful on

    text alone, whether that text stands upside down.
    """

    def __init__(self):
        # As far as from one end of a long number to the other.
        super().__init__(len(CLOSEUP_MAPS), (1, 2, 4, 1, 8, 1))
