"""The best PSNR in a file of so many bytes: the search on made-up curves, and files of real pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.codec import Encoded, EncodeOptions, decode, encode, inspect, verify
from nfcodec.codec.size_search import best_within
from nfcodec.errors import NfcError, TargetNotReachedError, UsageError
from nfcodec.fitting.family import Session
from nfcodec.fitting.goals import Lossless, Psnr, Size
from nfcodec.fitting.request import Request
from nfcodec.format import RESIDUAL, read_chunks
from nfcodec.limits import MAX_PSNR_DB
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from tests.codec.pictures import SMALL_SIREN, field_of, noise, picture, suited

MOST_CALLS = 12
"""Of an encoder in one search at one effort."""

N_PIXELS = 10_000
REQUEST = Request(Psnr(40.0), effort=1, seed=7)


def unused_that_is_close(budget: int) -> float:
    return max(8, 0.03 * budget)


# ------------------------------------------------------------------------------------------------- made-up pictures


class Estimates(Session):
    """A session that does nothing but estimate."""

    native = frozenset()

    def __init__(self, bytes_at: Callable[[Request], float | None] = lambda request: None) -> None:
        self.estimated_bytes = bytes_at

    def get_ready(self, request):
        raise AssertionError("not asked for here")

    def plans(self, request):
        raise AssertionError("not asked for here")

    def fit(self, plan, request):
        raise AssertionError("not asked for here")

    def estimated_bytes(self, request):
        raise AssertionError("replaced")


class Curve:
    """An encoder whose files have the size that a function of the PSNR says.

    Attributes:
        lossless_db: from there on files are without loss, and as large as the last that is not.
        out_of_reach_db: over it there are no files.
    """

    def __init__(
        self, size: Callable[[float], float], lossless_db: float = math.inf, out_of_reach_db: float = math.inf
    ) -> None:
        self._size, self._lossless_db, self._out_of_reach_db = size, lossless_db, out_of_reach_db
        self.requests: list[Request] = []
        self.files: list[Encoded] = []

    def size(self, psnr_db: float) -> int:
        return 2 + 4 * math.ceil(min(1 << 22, self._size(min(psnr_db, self._lossless_db))) / 4)

    def __call__(self, request: Request) -> Encoded:
        self.requests.append(request)
        if request.psnr_db > self._out_of_reach_db:
            raise TargetNotReachedError("out of reach", -math.inf)
        reached = None if request.psnr_db >= self._lossless_db else request.psnr_db + 0.003
        self.files.append(Encoded(bytes(self.size(request.psnr_db)), {"psnr_db": reached}))
        return self.files[-1]

    def search(self, budget: int, **request) -> Encoded:
        """What is found, which has to be the best of what was tried, in few tries at PSNRs that make sense."""
        found = best_within(budget, N_PIXELS, replace(REQUEST, **request), self, Estimates())
        efforts = {each.effort for each in self.requests}
        assert len(self.requests) <= MOST_CALLS * len(efforts)
        assert all(0 < each.psnr_db <= MAX_PSNR_DB for each in self.requests)
        fitting = [each for each in self.files if len(each.data) <= budget]
        if fitting:
            assert len(found.data) <= budget
            assert found.psnr_db == max(each.psnr_db for each in fitting)
        else:
            assert len(found.data) == min(len(each.data) for each in self.files)
        return found


def exponential(bytes_at_40_db: float, bits_per_db: float, overhead: int = 80) -> Callable[[float], float]:
    return lambda psnr_db: overhead + bytes_at_40_db * 2 ** (bits_per_db * (psnr_db - 40))


def assert_close(curve: Curve, budget: int, **request) -> Encoded:
    found = curve.search(budget, **request)
    assert 0 <= budget - len(found.data) <= unused_that_is_close(budget)
    return found


@pytest.mark.parametrize("bits_per_db", [0.03, 0.06, 0.15, 0.2, 0.25, 0.4, 0.8])
@pytest.mark.parametrize("budget", [400, 5000, 60_000])
def test_budgets_within_reach_are_met(budget, bits_per_db):
    for bytes_at_40_db in (budget / 8, budget / 2, 0.8 * budget, budget, 1.2 * budget, 2 * budget):
        curve = Curve(exponential(bytes_at_40_db, bits_per_db))
        if curve.size(10.0) < budget < curve.size(110.0):
            assert_close(curve, budget)


def test_a_very_steep_curve():
    assert_close(Curve(exponential(400, 2.0)), 400)


@given(st.floats(0.1, 0.5), st.integers(300, 100_000), st.floats(20.0, 70.0), st.integers(0, 100))
def test_any_ordinary_curve(bits_per_db, budget, psnr_db, overhead):
    """The PSNR at which the file has the very size of the budget is one that pictures have."""
    bytes_at_40_db = (budget - overhead) * 2 ** (bits_per_db * (40 - psnr_db))
    found = Curve(exponential(bytes_at_40_db, bits_per_db, overhead)).search(budget)
    unused = budget - len(found.data)
    assert unused <= max(16, 0.05 * budget)
    more_db = math.log2(1 + (unused + 10) / (budget - overhead - unused)) / bits_per_db
    assert abs(found.psnr_db - psnr_db) < 0.1 + more_db


@given(st.floats(0.02, 0.3), st.integers(300, 100_000), st.floats(5.0, 100.0))
def test_whatever_fits_is_found(bits_per_db, budget, psnr_db):
    curve = Curve(exponential((budget - 60) * 2 ** (bits_per_db * (40 - psnr_db)), bits_per_db, overhead=40))
    assert len(curve.search(budget).data) <= budget


def test_a_rugged_curve():
    """As quantizers make them: a little more PSNR may take fewer bytes."""
    smooth = exponential(3000, 0.2)
    curve = Curve(lambda psnr_db: smooth(psnr_db) * (1 + 0.02 * math.sin(31 * psnr_db)))
    for budget in (1500, 3000, 9000):
        assert_close(curve, budget)
        curve.requests.clear()
        curve.files.clear()


def test_a_curve_with_a_step():
    """No file is close to the budget; the best one is found nevertheless."""
    curve = Curve(lambda psnr_db: 700 if psnr_db < 37.3 else 6000)
    found = curve.search(2000)
    assert len(found.data) == 702
    assert found.psnr_db > 36.5


@pytest.mark.parametrize("bump_db", [36.0, 38.0, 39.0])
def test_a_curve_with_a_bump(bump_db):
    """A little over a PSNR files are twice as large, and then they are smaller again."""
    smooth = exponential(3000, 0.2)
    assert_close(Curve(lambda psnr_db: smooth(psnr_db) * (2 if bump_db < psnr_db < bump_db + 0.3 else 1)), 3000)


@pytest.mark.parametrize("out_of_reach_db", [20.0, 33.0, 45.0])
def test_psnrs_out_of_reach(out_of_reach_db):
    curve = Curve(exponential(1000, 0.2), out_of_reach_db=out_of_reach_db)
    assert curve.search(20_000).psnr_db > out_of_reach_db - 1.5
    assert curve.requests[0].psnr_db > out_of_reach_db


@pytest.mark.parametrize("effort", [1, 5])
def test_nothing_within_reach(effort):
    curve = Curve(exponential(1000, 0.2), out_of_reach_db=0.0)
    with pytest.raises(TargetNotReachedError, match="within reach"):
        curve.search(2000, effort=effort)
    assert len(curve.requests) <= 2 * MOST_CALLS


@pytest.mark.parametrize("bits_per_db", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("effort", [1, 5])
def test_the_least_file_of_all_is_too_large(effort, bits_per_db):
    curve = Curve(exponential(1000, bits_per_db, overhead=500))
    assert len(curve.search(90, effort=effort).data) < 640


def test_the_least_file_of_all_is_a_little_too_large():
    curve = Curve(exponential(300, 0.1, overhead=500))
    budget = curve.size(3.0) - 1
    assert curve.search(budget)
    assert min(each.psnr_db for each in curve.requests) == 3


@pytest.mark.parametrize("budget", [9000, 10**6, 10**9])
@pytest.mark.parametrize("effort", [1, 5])
def test_enough_for_no_loss(budget, effort):
    curve = Curve(exponential(1000, 0.15), lossless_db=59.0)
    assert math.isinf(curve.search(budget, effort=effort).psnr_db)


def test_no_more_than_the_highest_psnr():
    curve = Curve(exponential(100, 0.01))
    assert curve.search(10**6).psnr_db == pytest.approx(MAX_PSNR_DB, abs=0.01)
    assert sum(each.psnr_db == MAX_PSNR_DB for each in curve.requests) == 1


def test_files_that_do_not_grow():
    """As those of a field that fits no better."""
    curve = Curve(lambda psnr_db: 900)
    assert len(curve.search(2000).data) == 902
    assert len(Curve(lambda psnr_db: 900).search(500).data) == 902


@pytest.mark.parametrize("share", [0.99, 0.9])
@pytest.mark.parametrize("bytes_at_40_db", [10_000, 20_000])
def test_just_too_little_for_no_loss(bytes_at_40_db, share):
    """All PSNRs over that of the lossless file say the same; the search must come down from them."""
    curve = Curve(exponential(bytes_at_40_db, 0.1), lossless_db=59.0)
    budget = int(share * curve.size(59.0))
    found = curve.search(budget)
    assert curve.requests[0].psnr_db > 59
    assert 0 <= budget - len(found.data) <= unused_that_is_close(budget)


def test_quick_files_come_first():
    curve = Curve(exponential(3000, 0.18))
    assert_close(curve, 2500, effort=6)
    efforts = [each.effort for each in curve.requests]
    assert efforts == sorted(efforts)
    assert set(efforts) == {1, 6}
    assert efforts.count(6) <= 4


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("budget", [300, 2500, 40_000])
def test_an_estimate_replaces_quick_files(factor, budget):
    curve, asked = Curve(exponential(3000, 0.18)), []

    def bytes_at(request):
        asked.append(request.psnr_db)
        return factor * curve.size(request.psnr_db)

    found = best_within(budget, N_PIXELS, replace(REQUEST, effort=6), curve, Estimates(bytes_at))
    assert 0 <= budget - len(found.data) <= unused_that_is_close(budget)
    assert {each.effort for each in curve.requests} == {6}
    first_db = curve.requests[0].psnr_db
    assert factor * curve.size(first_db) == pytest.approx(budget, rel=0.1)
    assert 1 < len(asked) <= 6
    assert len(curve.requests) <= 5


@pytest.mark.parametrize("size", [math.inf, 0.0])
def test_an_estimate_that_knows_nothing(size):
    curve = Curve(exponential(3000, 0.18))
    found = best_within(2500, N_PIXELS, replace(REQUEST, effort=6), curve, Estimates(lambda request: size))
    assert 0 <= 2500 - len(found.data) <= unused_that_is_close(2500)


def test_only_psnr_and_effort_change():
    curve, heard = Curve(exponential(3000, 0.18)), []
    request = replace(REQUEST, effort=3, max_steps=17, engine="torch", device="cpu", listen=heard.append)
    best_within(2500, N_PIXELS, request, curve, Estimates())
    for each in curve.requests:
        assert replace(each.at(40.0), effort=3, task="") == request
    quick = [each.effort == 1 for each in curve.requests]
    assert [each.task for each in curve.requests] == [
        f"{'quick try' if each else 'try'} {number}" for number, each in enumerate(quick, 1)
    ]
    assert 0 < sum(quick) < len(quick)


def test_listeners_hear_what_is_searched_for_and_what_each_try_gives():
    curve, heard = Curve(exponential(3000, 0.18)), []
    best_within(2500, N_PIXELS, replace(REQUEST, effort=6, listen=heard.append), curve, Estimates())
    first, *tries = [event.message for event in heard]
    assert first == "searching for the best PSNR in 2,500 bytes"
    found = zip(curve.requests, curve.files, strict=True)
    assert tries == [
        f"{request.task}: {request.psnr_db:.2f} dB gives {len(file.data):,} "
        + ("of 2,500 bytes" if len(file.data) <= 2500 else "bytes, more than 2,500")
        for request, file in found
    ]
    assert {message.endswith("of 2,500 bytes") for message in tries} == {True, False}
    assert all(event.task in event.message for event in heard)


def test_listeners_hear_what_is_out_of_reach():
    curve, heard = Curve(exponential(3000, 0.18), out_of_reach_db=50.0), []
    best_within(20_000, N_PIXELS, replace(REQUEST, effort=1, listen=heard.append), curve, Estimates())
    assert f"try 1: {curve.requests[0].psnr_db:.2f} dB is out of reach" in [event.message for event in heard]


@pytest.mark.parametrize("budget", [300, 2500])
@pytest.mark.parametrize("effort", [1, 5])
def test_a_deadline_ends_the_search(effort, budget):
    curve = Curve(exponential(3000, 0.18))
    assert curve.search(budget, effort=effort, deadline=-1.0) in curve.files
    assert len(curve.requests) == (1 if effort == 1 else 2)


def test_no_try_begins_for_which_there_is_no_time(monkeypatch):
    """Each file takes ten seconds, of 35."""
    now = [0.0]
    monkeypatch.setattr("nfcodec.codec.size_search.time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(Request, "expired", lambda self: False)

    class Slow(Curve):
        def __call__(self, request: Request) -> Encoded:
            now[0] += 10.0
            return super().__call__(request)

    curve = Slow(exponential(3000, 0.8))
    curve.search(300, deadline=35.0)
    assert len(curve.requests) == 3


# ---------------------------------------------------------------------------------------------------------- pictures


def assert_within(raster: Raster, encoded: Encoded, budget: int) -> Raster:
    """The file keeps its budget, and says of itself what it reaches."""
    data, report, info = encoded.data, encoded.report, inspect(encoded.data)
    assert report["bytes"] == info.bytes == len(data) <= budget
    assert (report["target_bytes"], report["reached"]) == (budget, True)
    json.dumps(report, allow_nan=False)
    decoded = decode(data)
    reached_db = psnr_db(decoded.samples, raster.samples, raster.peak)
    assert info.target_psnr_db == info.psnr_db <= reached_db
    assert report["target_psnr_db"] == report["psnr_db"] == (None if math.isinf(reached_db) else reached_db)
    assert math.isinf(reached_db) or info.psnr_db > reached_db - 0.011
    assert verify(data).ok
    return decoded


def test_sizes():
    raster = picture(32, 28)
    encoded = encode(raster, EncodeOptions(size_bytes=900, effort=1))
    assert_within(raster, encoded, 900)
    assert len(encoded.data) >= 900 - unused_that_is_close(900)
    more = encode(raster, EncodeOptions(encoded.report["psnr_db"] + 0.5, effort=1)).data
    assert len(more) > 900, "half a dB more would have fitted"


@pytest.mark.parametrize(("bpp", "shape"), [(3.3, (31, 47)), (5, (24, 24))])
def test_bits_a_pixel(bpp, shape):
    raster = picture(*shape)
    encoded = encode(raster, EncodeOptions(bpp=bpp, field="table", effort=1))
    assert encoded.report["bpp"] <= bpp
    budget = math.floor(bpp * raster.n_pixels / 8)
    assert_within(raster, encoded, budget)
    assert len(encoded.data) >= budget - unused_that_is_close(budget)


@pytest.mark.parametrize(
    ("transform", "budget"),
    [
        ("rpp", 300),
        ("zigzag", 600),
        ("inversion+gamma:2", 180),
    ],
)
def test_transforms(transform, budget):
    raster = picture(20, 20, 1)
    encoded = encode(raster, EncodeOptions(None, suited(transform), transform, size_bytes=budget, effort=1))
    assert_within(raster, encoded, budget)
    assert len(encoded.data) >= budget - unused_that_is_close(budget)


@pytest.mark.parametrize(("depth", "alpha"), [(16, False), (8, True)])
def test_other_pictures(depth, alpha):
    raster = picture(10, 9, 1, depth, alpha)
    encoded = encode(raster, EncodeOptions(size_bytes=250, effort=1))
    decoded = assert_within(raster, encoded, 250)
    assert (decoded.alpha is not None) == alpha
    if decoded.alpha is not None:
        assert np.array_equal(decoded.alpha, raster.alpha)


@pytest.mark.parametrize(("field", "budget"), [(SMALL_SIREN, 400), ("siren", 800)], ids=["small", "chosen"])
def test_sirens(field, budget):
    """A file's field is sized by its PSNR where none is given."""
    raster = picture(20, 20, 1)
    encoded = encode(raster, EncodeOptions(size_bytes=budget, field=field, effort=1, max_steps=40))
    assert_within(raster, encoded, budget)
    assert inspect(encoded.data).field == "siren"


@pytest.mark.parametrize("field", ["auto", "pyramid"])
def test_more_effort(field):
    """Files of effort 1 come first and tell where to look."""
    raster = picture(16, 15, 1)
    encoded = encode(raster, EncodeOptions(size_bytes=200, field=field_of(field, raster), effort=2))
    assert_within(raster, encoded, 200)
    assert len(encoded.data) >= 200 - unused_that_is_close(200)


@pytest.mark.parametrize("transform", ["none", "rpp"])
@pytest.mark.parametrize("budget", [{"size_bytes": 50_000}, {"bpp": 900.0}], ids=str)
@pytest.mark.parametrize("depth", [8, 16])
def test_more_than_enough_is_without_loss(depth, budget, transform):
    raster = picture(8, 7, 1, depth)
    encoded = encode(raster, EncodeOptions(None, suited(transform), transform, **budget, effort=1))
    decoded = assert_within(raster, encoded, math.floor(budget.get("bpp", 0) * 56 / 8) or 50_000)
    assert np.array_equal(decoded.samples, raster.samples)
    assert inspect(encoded.data).target_psnr_db == math.inf
    assert RESIDUAL in read_chunks(encoded.data)


def test_as_many_bytes_as_no_loss_takes():
    raster = picture(8, 9)
    exact = encode(raster, EncodeOptions(lossless=True, effort=1)).data
    encoded = encode(raster, EncodeOptions(size_bytes=len(exact), effort=1))
    assert_within(raster, encoded, len(exact))
    assert inspect(encoded.data).psnr_db > 55


@pytest.mark.parametrize("budget", [200, 410])
def test_noise(budget):
    """Its lossless file takes 423 bytes, and at 16 dB it takes 174."""
    raster = noise(8, 8)
    assert_within(raster, encode(raster, EncodeOptions(size_bytes=budget, effort=1)), budget)


def test_a_permuted_picture_at_a_size_between():
    """It takes 462 bytes at 38 dB, half of that at 25 and 786 at 50."""
    raster = picture(20, 20)
    assert_within(raster, encode(raster, EncodeOptions(size_bytes=470, transform="rpp", effort=1)), 470)


def test_a_nearly_flat_permuted_picture():
    """Of four colours, so that few bits are well spent. It leaves a quarter of the budget where symbols are coded."""
    samples = np.full((64, 64, 3), 255, np.uint8)
    samples[:, :, 2] -= np.random.default_rng(0).choice([0, 1, 2, 9], (64, 64), p=[0.6, 0.2, 0.1, 0.1]).astype(np.uint8)
    raster = Raster(samples)
    encoded = encode(raster, EncodeOptions(bpp=1.0, transform="rpp", effort=1))
    assert_within(raster, encoded, 512)
    assert encoded.psnr_db > 55


def test_one_pixel():
    raster = picture(1, 1)
    exact = encode(raster, EncodeOptions(lossless=True, effort=1)).data
    assert_within(raster, encode(raster, EncodeOptions(size_bytes=len(exact) + 9, effort=1)), len(exact) + 9)


@pytest.mark.parametrize("field", ["auto", "pyramid", SMALL_SIREN], ids=["auto", "pyramid", "siren"])
@pytest.mark.parametrize("budget", [1, 50])
def test_too_few_bytes(field, budget):
    raster = picture(12, 13, 1)
    options = EncodeOptions(size_bytes=budget, field=field_of(field, raster), effort=1, max_steps=20)
    with pytest.raises(TargetNotReachedError, match=f"takes .* bytes, more than {budget}$"):
        encode(raster, options)
    encoded = encode(raster, replace(options, best_effort=True))
    assert encoded.report["reached"] is False
    assert encoded.report["target_bytes"] == budget
    assert encoded.report["bytes"] == len(encoded.data) > budget
    assert psnr_db(decode(encoded.data).samples, raster.samples, 255) == encoded.report["psnr_db"]
    assert verify(encoded.data).ok


def test_fewer_bits_than_a_byte():
    with pytest.raises(NfcError):
        encode(picture(12, 13, 1), EncodeOptions(bpp=0.01, effort=1))


def test_a_time_limit():
    raster = picture(12, 13, 1)
    options = EncodeOptions(size_bytes=500, field=SMALL_SIREN, time_limit_s=1e-3, effort=3, best_effort=True)
    encoded = encode(raster, options)
    assert encoded.report["reached"] == (len(encoded.data) <= 500)
    assert verify(encoded.data).ok


def test_listeners_hear_what_is_tried():
    events = []
    raster = picture(12, 13, 1)
    encode(raster, EncodeOptions(size_bytes=300, field="table", effort=1), events.append)
    tried = [event.message for event in events if event.message.startswith("try ")]
    assert 1 <= len(tried) <= MOST_CALLS
    assert {event.task for event in events if event.phase != "prepare"} == {each.partition(":")[0] for each in tried}


def test_the_same_seed_gives_the_same_bytes():
    raster = picture(12, 13, 1)
    options = EncodeOptions(size_bytes=250, transform="rpp", seed=3, effort=1, device="cpu")
    assert encode(raster, options).data == encode(raster, options).data


# ----------------------------------------------------------------------------------------------------------- options


GOALS = [{"psnr_db": 40.0}, {"size_bytes": 1000}, {"bpp": 2.0}, {"lossless": True}]


@pytest.mark.parametrize("goals", [*combinations(GOALS, 2), *combinations(GOALS, 3), GOALS], ids=str)
def test_goals_exclude_each_other(goals):
    with pytest.raises(UsageError, match="exclude"):
        EncodeOptions(**{key: value for goal in goals for key, value in goal.items()})


def test_one_goal_or_none():
    assert [EncodeOptions(**goal).goal(1000) for goal in GOALS] == [Psnr(40.0), Size(1000), Size(250), Lossless()]
    assert EncodeOptions().goal(1000) == EncodeOptions(lossless=False).goal(1000) == Psnr(40.0)
    assert EncodeOptions(bpp=2.01).goal(1001) == Size(251)
    assert EncodeOptions(bpp=0.01).goal(100) == Size(0)
    assert [str(EncodeOptions(**goal).goal(1000)) for goal in GOALS] == ["40 dB", "1000 bytes", "250 bytes", "no loss"]


@pytest.mark.parametrize(
    "options",
    [
        {"size_bytes": 0},
        {"size_bytes": -1},
        {"size_bytes": -math.inf},
        {"size_bytes": math.nan},
        {"size_bytes": math.inf},
        {"bpp": 0},
        {"bpp": 0.0},
        {"bpp": -1.0},
        {"bpp": math.nan},
        {"bpp": math.inf},
    ],
    ids=str,
)
def test_bad_budgets(options):
    with pytest.raises(UsageError):
        EncodeOptions(**options)


@pytest.mark.parametrize("budget", [{"size_bytes": 10**30}, {"bpp": 1e300}], ids=str)
def test_astronomic_budgets(budget):
    raster = picture(5, 6, 1)
    assert np.array_equal(decode(encode(raster, EncodeOptions(**budget, effort=1)).data).samples, raster.samples)


def test_the_most_bits_that_a_float_holds():
    raster = picture(5, 6, 1)
    try:
        data = encode(raster, EncodeOptions(bpp=1e308, effort=1)).data
    except NfcError:
        return
    assert np.array_equal(decode(data).samples, raster.samples)
