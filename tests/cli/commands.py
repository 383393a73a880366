"""A small picture, and what tests of the command line do with it."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster

CLOSED_FORM = "solved in closed form, without gradient steps"
PSNR_DB = 30.0
ENCODE_KEYS = {
    "path", "bytes", "bpp", "pixels", "width", "height", "channels", "depth", "psnr_db", "target_psnr_db", "reached",
    "field", "fitted", "recipe", "parameters", "transform", "seed", "steps", "fit_steps", "fit_seconds", "seconds",
    "tried", "engine", "device", "side_info_bytes", "raw_bytes", "png_bytes", "bound_bytes",
}  # fmt: skip


def picture():
    y, x = np.mgrid[0:10, 0:12]
    channels = [8 * x + 5 * y, 255 - 9 * x, 128 + 60 * np.sin(x / 3) * np.cos(y / 4)]
    return Raster.from_array(np.stack(channels, axis=2).clip(0, 255).astype(np.uint8))


PNG = image_bytes(picture())


def assert_one_clear_line(result):
    lines = [line for line in result.err.splitlines() if not line.startswith("Try ")]
    assert len(lines) == 1, result.err
    assert lines[0].startswith("nfcodec: error: ")
    assert result.out == b""


def files():
    return sorted(os.listdir("."))


def encode_picture(run, *options):
    """Encode a.png to a.nfc; returns the report and what is printed for people."""
    with open("a.png", "wb") as file:
        file.write(PNG)
    result = run("encode", "a.png", "-e", 1, "--json", *options)
    assert result.code == 0, result.err
    report = json.loads(result.out, parse_constant=pytest.fail)
    assert report.keys() >= ENCODE_KEYS
    assert report["bytes"] == os.path.getsize("a.nfc")
    assert report["reached"] is True
    return SimpleNamespace(report=report, err=result.err)
