"""Finds the fonts of the drawing among Debian's font packages; says which packages to install when they are missing."""

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import ImageFont

ROOTS = (Path("/usr/share/fonts"), Path("/usr/share/texmf/fonts"), Path("/usr/local/share/fonts"))
PACKAGES = (
    "fonts-ocr-a fonts-ocr-b fonts-liberation fonts-freefont-ttf fonts-dejavu fonts-opendin fonts-roboto-unhinted fonts-hack "
    "fonts-wqy-zenhei fonts-wqy-microhei fonts-arphic-gbsn00lp fonts-lato fonts-open-sans fonts-inter fonts-jetbrains-mono "
    "fonts-inconsolata fonts-courier-prime fonts-urw-base35 fonts-texgyre fonts-b612 fonts-croscore fonts-crosextra-carlito "
    "fonts-crosextra-caladea fonts-clear-sans fonts-paratype fonts-routed-gothic fonts-national-park fonts-play fonts-cabin "
    "fonts-manrope fonts-firacode fonts-agave fonts-go fonts-osifont fonts-bebas-neue fonts-adf-switzera"
).split()

# Patterns of file names, by use. Thin, outlined and boxed faces are left out: no card number is set in them; of the italics
# only the bold ones that some Chinese banks print.
NUMBER = (
    r"OCRA(Bold)?\.", r"OCRB(F|S)?\.", r"Liberation(Serif|Sans|Mono)-Bold\.", r"Liberation(Sans|Mono|SansNarrow)-Regular\.",
    r"Free(Sans|Serif|Mono)Bold\.", r"Free(Sans|Mono)\.", r"DejaVuSans(Mono|Condensed)?(-Bold)?\.", r"DejaVuSerif-Bold\.",
    r"OSP-DIN", r"Roboto-(Regular|Medium|Bold)\.", r"RobotoCondensed-(Regular|Medium|Bold)\.", r"Hack-(Regular|Bold)\.",
    r"OpenSans-(Regular|Semibold|Bold|CondBold)\.", r"Inter-(Regular|Medium|SemiBold)\.", r"Inconsolata\.",
    r"texgyreheros(cn)?-(regular|bold)\.", r"texgyreadventor-(regular|bold)\.", r"texgyretermes-bold\.", r"texgyrecursor-bold\.",
    r"B612(Mono)?-(Regular|Bold)\.", r"Carlito-(Regular|Bold)\.", r"Caladea-Bold\.", r"PTS(55|75)F\.", r"PTN(57|77)F\.",
    r"routed-gothic(-narrow|-wide)?\.", r"Play-(Regular|Bold)\.ttf", r"Manrope-(Regular|SemiBold)\.", r"FiraCode-(Regular|SemiBold)\.",
    r"Go-(Regular|Medium|Bold)\.", r"osifont\.", r"SwitzeraADF-(Regular|Bold|BoldCond)\.", r"Cabin-(Regular|Bold)\.",
    r"LiberationSerif-BoldItalic\.", r"texgyretermes-bolditalic\.", r"LiberationSans-BoldItalic\.",
    r"NimbusRoman-Bold\.otf", r"C059-Bold\.otf", r"URWGothic-(Book|Demi)\.otf", r"BebasNeue-(Regular|Bold)\.",
)
# Faces that training never sees; the drawn hold-out uses only these and the reserved strokes.
HELD_OUT = (
    r"Lato-(Regular|Semibold|Bold)\.", r"ClearSans-(Medium|Bold)\.", r"JetBrainsMono-(Medium|Bold)\.", r"PTM(55|75)F\.",
    r"NationalPark-(Regular|Heavy)\.", r"Courier Prime Bold\.", r"NimbusSansNarrow-Bold\.otf", r"Go-Mono(-Bold)?\.", r"Cousine-Bold\.",
    r"agave-b", r"P052-Bold\.otf",
)
LABEL = (r"LiberationSans-(Regular|Bold)\.", r"FreeSans(Bold)?\.", r"DejaVuSans(Condensed)?(-Bold)?\.", r"Roboto-(Regular|Bold|Medium)\.",
         r"OpenSans-(Regular|Bold)\.", r"texgyreadventor-(regular|bold)\.", r"LiberationSerif-(Regular|Bold)\.", r"RobotoCondensed-Regular\.")
CHINESE = (r"wqy-zenhei", r"wqy-microhei", r"gbsn00lp")


class FontsMissing(RuntimeError):
    """Too few of the drawing's fonts are installed; the message holds the line to type."""


@lru_cache(maxsize=None)
def faces(use: str) -> tuple[str, ...]:
    """Paths of the faces for `use` (number, held-out, label, chinese), sorted by name so that seeds hold."""
    patterns = {"number": NUMBER, "held-out": HELD_OUT, "label": LABEL, "chinese": CHINESE}[use]
    every = {p.name: p for root in ROOTS if root.is_dir() for p in sorted(root.rglob("*")) if p.suffix in (".ttf", ".otf", ".ttc")}
    found = sorted(str(path) for name, path in every.items() if any(re.match(p, name) for p in patterns))
    if len(found) < 0.8 * len(patterns):
        raise FontsMissing(
            f"only {len(found)} faces for '{use}' are installed; on Debian or Ubuntu: apt-get install --no-install-recommends {' '.join(PACKAGES)}"
        )
    return tuple(found)


@lru_cache(maxsize=3000)
def font(path: str, size: int) -> ImageFont.FreeTypeFont:
    """The face at `path` with an em of `size` px."""
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def pick(rng: np.random.Generator, use: str) -> str:
    """A face for `use`, all equally likely."""
    found = faces(use)
    return found[rng.integers(len(found))]
