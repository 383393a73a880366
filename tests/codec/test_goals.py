"""Goals that a family reaches by itself, and what is out of reach, with families made up for it."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, decode, encode, inspect
from nfcodec.errors import FormatError, TargetNotReachedError
from nfcodec.fields import registry
from nfcodec.fitting.goals import Lossless, Psnr, Size
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.request import Solution
from nfcodec.format import RESIDUAL, read_chunks
from tests.codec.pictures import noise, picture
from tests.contract.toy_family import Mosaic, MosaicFamily, MosaicSession


class ThoroughSession(MosaicSession):
    """Reaches a size by larger and larger tiles, and no loss by the finest ones."""

    native = frozenset({Psnr, Size, Lossless})

    def fit(self, plan, request):
        if isinstance(request.goal, Psnr):
            return super().fit(plan, request)
        began = time.monotonic()
        sides = (1, 2, 3, 4, 6, 9) if isinstance(request.goal, Size) else (1,)
        for side in sides:
            session = MosaicSession(self._picture, Mosaic(side))
            problem = session._problem
            rows = problem.targets.reshape(problem.geometry.height, problem.geometry.width, -1)
            trial = problem.trial(quantize(problem, {"tiles": rows[::side, ::side]}, {"tiles": 2.0**-12}))
            if isinstance(request.goal, Lossless) or len(problem.payload(trial.weights)) <= request.goal.n_bytes - 90:
                break
        return Solution.closed_form(problem, trial, time.monotonic() - began)


class ThoroughFamily(MosaicFamily):
    name = "thorough"

    def begin(self, picture, context, given=None):
        session = ThoroughSession(picture, Mosaic(1) if given is None else given)
        session._picture = picture
        return session


class HopelessSession(MosaicSession):
    """Has nothing that the format's arithmetic holds."""

    def fit(self, plan, request):
        raise FormatError("no quantizer steps suit the values")


class HopelessFamily(MosaicFamily):
    name = "hopeless"

    def begin(self, picture, context, given=None):
        return HopelessSession(picture, Mosaic(1))


@pytest.fixture(autouse=True)
def made_up_families(monkeypatch):
    fields = {200: "tests.contract.toy_family:Mosaic"}
    for name, family in (("thorough", "ThoroughFamily"), ("hopeless", "HopelessFamily")):
        entry = registry.Entry(f"tests.codec.test_goals:{family}", fields, family)
        monkeypatch.setitem(registry.FAMILIES, name, entry)


def test_a_psnr_is_the_family_s_as_ever():
    encoded = encode(picture(), EncodeOptions(30.0, "thorough"))
    assert encoded.report["psnr_db"] >= 30
    assert inspect(encoded.data).target_psnr_db == 30


def test_no_loss_that_a_family_reaches_by_itself_takes_no_residual():
    raster = noise(6, 7)
    encoded = encode(raster, EncodeOptions(field="thorough", lossless=True))
    assert np.array_equal(decode(encoded.data).samples, raster.samples)
    assert RESIDUAL not in read_chunks(encoded.data)
    assert (encoded.report["reached"], encoded.report["target_psnr_db"]) == (True, None)
    assert inspect(encoded.data).target_psnr_db == math.inf


@pytest.mark.parametrize("budget", [{"size_bytes": 150}, {"bpp": 150 * 8 / 99}], ids=str)
def test_a_size_that_a_family_reaches_by_itself_is_not_searched_for(budget):
    events = []
    encoded = encode(picture(), EncodeOptions(field="thorough", **budget), events.append)
    assert len(encoded.data) <= 150
    assert (encoded.report["target_bytes"], encoded.report["reached"]) == (150, True)
    assert not [event for event in events if event.task or "searching" in event.message]
    info = inspect(encoded.data)
    assert info.target_psnr_db == info.psnr_db > 5
    assert encoded.report["target_psnr_db"] == encoded.report["psnr_db"]


def test_a_size_that_such_a_family_misses():
    options = {"field": "thorough", "size_bytes": 60}
    with pytest.raises(TargetNotReachedError, match=r"takes .* bytes, more than 60$"):
        encode(picture(), EncodeOptions(**options))
    encoded = encode(picture(), EncodeOptions(**options, best_effort=True))
    assert (encoded.report["target_bytes"], encoded.report["reached"]) == (60, False)


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        ({"psnr_db": 30.0}, "30 dB is out of reach: no quantizer steps"),
        ({"lossless": True}, "40 dB is out of reach: no quantizer steps"),
        ({"size_bytes": 1000}, "no PSNR that was tried is within reach"),
    ],
    ids=str,
)
def test_what_no_file_can_hold_is_out_of_reach(goal, words):
    for best_effort in (False, True):
        with pytest.raises(TargetNotReachedError, match=words) as caught:
            encode(picture(), EncodeOptions(field="hopeless", best_effort=best_effort, **goal))
        assert caught.value.psnr_db == -math.inf
