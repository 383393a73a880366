"""A picture as large as a camera's, made of the pictures of a set, which are smaller."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from PIL import Image

from benchmarks.data.datasets import Picture
from benchmarks.data.pictures import prepared

NAME = "mosaic"
SIZE = (4000, 3000)


def mosaic(pictures: Sequence[Picture], folder: Path) -> Picture:
    """Write the mosaic of some pictures to a folder, as a file whose bytes follow from their pixels alone."""
    path = folder / f"{NAME}.bmp"
    pasted([picture.path for picture in pictures], SIZE).save(path)
    return Picture(pictures[0].dataset, path)


def pasted(paths: Sequence[Path], size: tuple[int, int]) -> Image.Image:
    """Pictures beside each other, from left to right, in strips below each other, until the whole is full.

    They are taken in order, and again from the first one when there are too few. Those of a strip are cut at the bottom
    to the height of the lowest; what does not fit at the right and at the bottom of the whole is cut, too.

    Args:
        size: width and height.
    """
    (width, height), whole, following, top = size, Image.new("RGB", size), cycle(paths), 0
    while top < height:
        strip: list[Image.Image] = []
        while sum(image.width for image in strip) < width:
            strip.append(prepared(next(following)))
        left, lowest = 0, min(image.height for image in strip)
        for image in strip:
            whole.paste(image.crop((0, 0, image.width, lowest)), (left, top))
            left += image.width
        top += lowest
    return whole
