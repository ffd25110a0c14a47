"""The reader: a fully convolutional CTC net over a strip of text."""

import torch
from torch import nn

ALPHABET = "0123456789/"
BLANK = len(ALPHABET)
STEP = 4  # strip pixels per output step


def _conv(cin: int, cout: int, kernel, stride=1, padding=None) -> nn.Sequential:
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    pad = tuple(k // 2 for k in size) if padding is None else padding
    return nn.Sequential(nn.Conv2d(cin, cout, size, stride, pad, bias=False), nn.BatchNorm2d(cout), nn.ReLU(True))


class _Around(nn.Module):
    """A residual 3x3 convolution that starts as doing nothing."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.norm(self.conv(x)))


class _Along(nn.Module):
    """A residual block along the strip: each step looks at its neighbours `dilation` steps away."""

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.norm(self.conv(x)))


class Reader(nn.Module):
    """(n, 3, 32, w) pixels 0..255 in RGB, w a multiple of 4 -> (n, w / 4, 12) logits; the last class is the CTC blank."""

    def __init__(self, widths: tuple[int, int, int, int, int] = (32, 48, 96, 128, 128)):
        super().__init__()
        a, b, c, d, e = widths
        self.look = nn.Sequential(
            _conv(3, a, 5, 2), _conv(a, b, 3), _conv(b, c, 3, 2), _conv(c, c, 3), _Around(c), _Around(c),
            _conv(c, d, 3, (2, 1)), _Around(d), _Around(d), _Around(d),
        )
        self.fold = _conv(d, e, (4, 1), padding=(0, 0))
        self.along = nn.Sequential(*[_Along(e, n) for n in (1, 2, 4, 1, 2, 1, 4, 2)])
        self.drop = nn.Dropout(0.1)
        self.head = nn.Conv2d(e, len(ALPHABET) + 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # Each strip on its own scale: a faint emboss and a bold print then look alike.
        mean = x.mean((1, 2, 3), keepdim=True)
        spread = ((x - mean) ** 2).mean((1, 2, 3), keepdim=True).sqrt()
        x = (x - mean) / (spread + 6.0)
        x = self.head(self.drop(self.along(self.fold(self.look(x)))))
        return x.squeeze(2).transpose(1, 2)
