"""A small program: a picture encoded by Pillow, or decoded, as a process that can be measured.

    python -m benchmarks.rates.rival_process in.png out.avif '{"format": "AVIF", "quality": 63}'
    python -m benchmarks.rates.rival_process out.avif back.png '{"compress_level": 1}'

It imports nothing but Pillow, so that what is measured is the codec.
"""

from __future__ import annotations

import json
import sys

from PIL import Image


def main(source: str, out: str, options: str) -> None:
    """Read a picture and save it with options of `Image.save`, which are given as JSON."""
    with Image.open(source) as image:
        image.save(out, **json.loads(options))


if __name__ == "__main__":
    main(*sys.argv[1:])
