"""`nfcodec decode --region` and `--scale`."""

import io
from pathlib import Path

import numpy as np
import pytest

from nfcodec.images.files import raster_from_bytes
from nfcodec.limits import DEFAULT_LIMITS
from tests.cli.commands import assert_one_clear_line, files

GOLDEN = Path(__file__).parents[1] / "conformance" / "golden"
NFC, SAMPLES = ((GOLDEN / f"wavelet-primes.{suffix}").read_bytes() for suffix in ("nfc", "npy"))
WHOLE = np.load(io.BytesIO(SAMPLES))  # 37 x 31 pixels


def decoded(run, *options):
    result = run("decode", *options, "-", "-", stdin=NFC)
    assert (result.code, result.err) == (0, "")
    return raster_from_bytes(result.out, DEFAULT_LIMITS).samples


@pytest.mark.parametrize("region", ["5,4,10,20", " 5, 4, 10, 20", "+5,4,10,020"])
def test_regions(run, region):
    assert np.array_equal(decoded(run, "--region", region), WHOLE[4:24, 5:15])


def test_scales(run):
    assert np.array_equal(decoded(run, "--scale", "1"), WHOLE)
    assert np.array_equal(decoded(run, "--scale", "1/1"), WHOLE)
    small = decoded(run, "--scale", "1/8")
    assert small.shape == (4, 5, 3)
    assert np.array_equal(decoded(run, "--scale", "1/8", "--region", "8,9,9,1"), small[1:2, 1:3])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--region", "5,4,10", "no region: X,Y,W,H in pixels"),
        ("--region", "", "no region"),
        ("--region", "1.5,0,1,1", "no region"),
        ("--region", "0,0,1,1000000000000000000000", "no region"),
        ("--region", "\u0661,0,1,1", "no region"),
        ("--region", "-1,0,1,1", "region's x must be"),
        ("--region", "0,0,0,1", "region's width must be"),
        ("--region", "30,0,8,1", "the region 30,0,8,1 is not inside the picture of 37 x 31 pixels"),
        ("--scale", "8", "no scale: 1/2, 1/4"),
        ("--scale", "1/3", "scale must be 1 or a power of two up to 128, not 3"),
        ("--scale", "1/256", "scale must be"),
        ("--scale", "1/0", "scale must be"),
        ("--scale", "2/4", "no scale"),
    ],
)
def test_refused(run, option, value, message):
    result = run("decode", f"{option}={value}", "-", "a.png", stdin=NFC)
    assert result.code == 2
    assert_one_clear_line(result)
    assert message in result.err
    assert files() == []


def test_moved_pixels(run, nfc):
    result = run("decode", "--scale", "1/2", "-", "a.png", stdin=nfc)
    assert result.code == 2
    assert_one_clear_line(result)
    assert "the transform rpp has moved the pixels" in result.err


def test_help_says_that_the_digest_is_not_checked(run):
    assert run("decode", "--help").out.decode().count("digest is not checked") == 2


def test_a_part_of_what_is_too_large(run):
    assert run("decode", "--max-pixels", "100", "-", "-", stdin=NFC).code == 6
    assert decoded(run, "--max-pixels", "100", "--region", "0,0,10,10").shape == (10, 10, 3)
