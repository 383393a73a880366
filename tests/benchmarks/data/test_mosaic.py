from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.data import mosaic
from benchmarks.data.datasets import find


def test_strips_are_filled_from_left_to_right_and_cut_to_their_lowest_picture(tmp_path: Path) -> None:
    for shade, (name, size) in enumerate({"a": (4, 3), "b": (3, 2), "c": (5, 4)}.items(), 1):
        Image.new("RGB", size, (shade, shade, shade)).save(tmp_path / f"{name}.png")
    found = find(str(tmp_path), tmp_path)
    whole = np.asarray(mosaic.pasted([picture.path for picture in found.pictures], (6, 4)))
    assert whole[..., 0].tolist() == [[1, 1, 1, 1, 2, 2]] * 2 + [[3, 3, 3, 3, 3, 1]] * 2
    assert np.ptp(whole, axis=2).max() == 0


def test_its_file_is_the_same_each_time(tmp_path: Path) -> None:
    Image.new("RGB", (700, 500), (1, 2, 3)).save(tmp_path / "a.png")
    found = find(str(tmp_path), tmp_path)
    (tmp_path / "out").mkdir()
    pictures = [mosaic.mosaic(found.pictures, tmp_path / "out") for _ in range(2)]
    assert pictures[0].sha256 == pictures[1].sha256
    assert (pictures[0].dataset, pictures[0].name) == (found.name, "mosaic")
    with Image.open(pictures[0].path) as image:
        assert image.size == mosaic.SIZE == (4000, 3000)
