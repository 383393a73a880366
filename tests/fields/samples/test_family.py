"""The family that fits nothing: every goal is met without loss, and value maps change nothing."""

from __future__ import annotations

import numpy as np
import pytest

import nfcodec
from nfcodec.codec.document import parse
from nfcodec.codec.info import inspect
from nfcodec.coding import packed
from nfcodec.fields import Samples
from nfcodec.fields.samples.family import SamplesFamily
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Lossless, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, samples_themselves

RNG = np.random.default_rng(1)
PICTURES = {
    "gray": RNG.integers(0, 256, (9, 13), dtype=np.uint8),
    "RGB": RNG.integers(0, 256, (7, 8, 3), dtype=np.uint8),
    "16 bits": RNG.integers(0, 1 << 16, (6, 5, 3)).astype(np.uint16),
    "extremes of 16 bits": RNG.choice([0, 65535], (6, 5)).astype(np.uint16),
    "alpha": RNG.integers(0, 256, (7, 8, 4), dtype=np.uint8),
}


@pytest.mark.parametrize("goal", [{"psnr": 20.0}, {"lossless": True}, {"size": 10**4}, {"bpp": 300.0}], ids=str)
@pytest.mark.parametrize("name", PICTURES)
def test_every_goal_is_met_without_loss(name, goal):
    image = PICTURES[name]
    encoded = nfcodec.encode_with_report(image, field="samples", **goal)
    assert np.array_equal(nfcodec.decode_array(encoded.data), image)
    report, info = encoded.report, inspect(encoded.data)
    assert (report["field"], report["psnr_db"], report["steps"], report["seed"]) == ("samples", None, 0, None)
    assert report["reached"]
    assert info.psnr_db == np.inf
    assert info.target_psnr_db == goal.get("psnr", np.inf)


@pytest.mark.parametrize("transform", ["standardize", "gamma:0.5", "inversion+sympower+rpp", "scale:1000+zigzag"])
@pytest.mark.parametrize("name", ["RGB", "extremes of 16 bits"])
def test_value_maps_do_not_apply(name, transform):
    image = PICTURES[name]
    data = nfcodec.encode(image, field=Samples(), transform=transform, psnr=30.0)
    assert np.array_equal(nfcodec.decode_array(data), image)
    assert inspect(data).transform.split("+")[0] == transform.split("+")[0]


@pytest.mark.parametrize("depth", [8, 16])
def test_outputs_are_samples(depth):
    value_map, samples = samples_themselves(depth, 1, 24), np.arange(1 << depth)[:, None]
    outputs = samples << 24
    for off in (-(1 << 23), 0, (1 << 23) - 1):
        assert np.array_equal(value_map.to_samples(outputs + off), samples)
    far = np.array([[-(1 << 45)], [1 << 45]])
    assert value_map.to_samples(far).tolist() == [[0], [(1 << depth) - 1]]


def test_a_size_that_is_too_small_is_not_reached():
    with pytest.raises(nfcodec.TargetNotReachedError):
        nfcodec.encode(PICTURES["RGB"], field="samples", size=50)


@pytest.mark.parametrize("goal", [Psnr(30.0), Size(50), Lossless()], ids=str)
def test_what_a_file_takes_is_known_beforehand(goal):
    raster = Raster.from_array(PICTURES["16 bits"])
    session = SamplesFamily().begin(Picture.of(raster, Chain.prepare([], raster.samples, 0)), Context(_no_estimate))
    assert session.estimated_bytes(Request(goal, 5, 0)) == packed.estimated_bytes(raster.samples)


def _no_estimate(picture, request):
    raise AssertionError("nobody asks")


def test_a_file_holds_the_samples_and_no_more():
    document = parse(nfcodec.encode(PICTURES["gray"], field="samples"), DEFAULT_LIMITS)
    assert document.field == Samples()
    assert len(document.chunks[b"WGHT"]) <= PICTURES["gray"].size + 5
