"""Which families try a picture, and which file is taken."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from nfcodec.codec import Encoded, EncodeOptions, encode
from nfcodec.codec.contest import Entrant, best_of, best_of_plans, entrants, may_win, may_win_with_more
from nfcodec.errors import EngineError, TargetNotReachedError, UsageError
from nfcodec.exact.field import Field
from nfcodec.fields import Pyramid, Siren, Table, registry
from nfcodec.fields.table.family import TableFamily
from nfcodec.fields.wavelet.family import WaveletFamily
from nfcodec.fitting import engines
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Lossless, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import Plan, Stage
from nfcodec.fitting.request import Request
from nfcodec.transforms import Chain, parse_chain
from tests.codec.pictures import picture
from tests.contract.toy_family import Mosaic


def transformed(transform: str = "none", height: int = 9, width: int = 11) -> Picture:
    raster = picture(height, width)
    return Picture.of(raster, Chain.prepare(parse_chain(transform), raster.samples, 0))


def entered(
    field: str | Field, picture: Picture, engine: str = "auto", device: str = "auto", **wishes: Any
) -> list[Entrant]:
    """Who enters for a request of 40 dB at effort 5, or another one."""
    request = Request(**{"goal": Psnr(40.0), "effort": 5, "seed": 0, "engine": engine, "device": device, **wishes})
    return entrants(field, picture, request)


def names(found: list[Entrant]) -> list[str]:
    return [each.family.name for each in found]


@pytest.mark.parametrize(
    ("transform", "engine", "expected"),
    [
        ("none", "auto", "wavelet"),
        ("inversion", "numba", "wavelet"),
        ("rpp", "auto", "table"),
        ("zigzag", "numba", "table"),
        ("none", "torch", "table"),
        ("rpp", "torch", "table"),
    ],
)
def test_auto_takes_whoever_suits_the_picture_and_the_engine(transform, engine, expected):
    found = entered("auto", transformed(transform), engine, "cpu")
    assert names(found) == [expected, "samples"]
    assert {each.given for each in found} == {None}


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, {"wavelet": 1, "grid": 4}),
        ({"effort": 4}, {"wavelet": 1, "grid": 4}),
        ({"effort": 3}, {"wavelet": 1}),
        ({"goal": Lossless()}, {"wavelet": 1}),
    ],
    ids=str,
)
def test_auto_has_grids_try_beside_wavelets(wishes, expected):
    found = entered("auto", transformed(height=64, width=64), **wishes)
    assert {each.family.name: each.least_effort for each in found} == {**expected, "samples": 1}
    assert names(found)[-1] == "samples"


def test_auto_takes_pyramids_where_wavelets_cannot_be_fitted_on_the_device():
    assert names(entered("auto", transformed(), "auto", "cuda")) == ["table", "samples"]


def test_auto_without_anybody(monkeypatch):
    with pytest.raises(EngineError, match="no field can be fitted by the engine 'numba' on the device 'cuda'"):
        entered("auto", transformed(), "numba", "cuda")
    monkeypatch.setattr(engines.registry, "PACKAGES", {"cuda": ["frog"]})
    with pytest.raises(EngineError, match="'tinycudann' on the device 'cuda' can fit no field of auto, only: ngp"):
        entered("auto", transformed(), "tinycudann", "cuda")
    monkeypatch.setattr(engines.registry, "SOURCES", {"frog": "pip install frog"})
    with pytest.raises(EngineError, match="'cuda' is not available: frog is not installed"):
        entered("auto", transformed(), "cuda", "auto")


@pytest.mark.parametrize("name", registry.FAMILIES)
def test_a_name_is_one_entrant(name):
    assert names(entered(name, transformed())) == [name]


def test_a_field_is_one_entrant_of_its_family():
    field = Siren(8, 1)
    found = entered(field, transformed())
    assert (names(found), found[0].given) == (["siren"], field)


@pytest.mark.parametrize(("goal", "bytes_to_beat"), [(Psnr(40.0), 20), (Lossless(), 20), (Size(25), 25)], ids=str)
def test_who_takes_more_than_there_is_already_need_not_begin(goal, bytes_to_beat):
    files = [file_of(30, None), file_of(20, 41.0), file_of(10, 38.0, reached=False)]
    if isinstance(goal, Size):
        files = [file_of(20, 41.0), file_of(30, 42.0, reached=False)]
    assert may_win(bytes_to_beat, files, goal)
    assert not may_win(bytes_to_beat + 1, files, goal)
    assert may_win(None, files, goal)
    assert may_win(10**9, files[-1:], goal)


def test_nothing_is_better_than_no_loss_within_a_size():
    exact = file_of(20, None)
    assert not may_win(None, [exact], Size(25))
    assert may_win(None, [exact], Psnr(40.0))
    assert may_win(None, [file_of(30, None, reached=False)], Size(25))


@pytest.mark.parametrize("goal", [Psnr(40.0), Lossless()], ids=str)
def test_more_effort_may_win_where_a_quick_file_is_close_to_the_smallest(goal):
    quick = file_of(100, 40.0)
    for n_bytes, expected in ((200, True), (95, True), (91, True), (90, False), (50, False)):
        assert may_win_with_more(quick, 0.1, [quick, file_of(n_bytes, 40.0)], goal) == expected
    assert may_win_with_more(quick, 0.1, [quick], goal)


def test_more_effort_may_win_where_a_quick_file_is_close_to_the_best_of_a_size():
    quick = file_of(100, 40.0)  # a tenth of the bytes is 0.76 dB
    for psnr_db, expected in ((39.0, True), (40.7, True), (40.8, False), (None, False)):
        assert may_win_with_more(quick, 0.1, [quick, file_of(99, psnr_db)], Size(100)) == expected


def test_more_effort_does_not_win_where_only_others_reach_the_goal():
    quick, other = file_of(100, 39.0, reached=False), file_of(500, 40.0)
    assert not may_win_with_more(quick, 0.1, [quick, other], Psnr(40.0))
    assert may_win_with_more(quick, 0.1, [quick, file_of(50, 39.5, reached=False)], Psnr(40.0))


@pytest.mark.parametrize(("field", "engine"), [("wavelet", "torch"), ("table", "cuda"), ("siren", "tinycudann")])
def test_whoever_is_named_and_cannot_says_why(field, engine):
    with pytest.raises(EngineError, match=f"{engine}.* cannot fit|fitted by .* not by '{engine}'"):
        entered(field, transformed(), engine, "auto")


def test_tables_of_permuted_pictures_need_no_engine():
    assert names(entered("table", transformed("rpp"), "cuda", "auto")) == ["table"]


def test_unknown_names_and_fields():
    with pytest.raises(UsageError, match="known: auto, wavelet, table, siren, ngp, grid, samples"):
        entered("frog", transformed())
    with pytest.raises(UsageError, match="belongs to no family"):
        entered(Mosaic(2), transformed())


def file_of(n_bytes: int, psnr_db: float | None, *, reached: bool = True) -> Encoded:
    return Encoded(bytes(n_bytes), {"psnr_db": psnr_db, "reached": reached})


@pytest.mark.parametrize("goal", [Psnr(40.0), Lossless()], ids=str)
def test_the_smallest_file_that_reaches_the_goal_is_taken(goal):
    files = [file_of(10, 38.0, reached=False), file_of(30, 40.1), file_of(20, 40.0), file_of(25, None)]
    assert best_of(files, goal) is files[2]
    assert best_of(files[:1], goal) is files[0]


def test_the_best_of_a_size_is_taken():
    files = [file_of(99, 50.0, reached=False), file_of(20, 40.0), file_of(18, 41.0), file_of(16, 41.0)]
    assert best_of(files, Size(20)) is files[3]
    exact = file_of(19, None)
    assert math.isinf(exact.psnr_db)
    assert best_of([*files, exact], Size(20)) is exact


def test_the_closest_is_taken_where_none_reaches_the_goal():
    files = [file_of(10, 30.0, reached=False), file_of(30, 38.0, reached=False), file_of(20, 35.0, reached=False)]
    assert best_of(files, Psnr(40.0)) is files[1]
    assert best_of(files, Size(5)) is files[0]


def test_a_plan_for_which_there_is_time_is_taken():
    slow, quick = plan_of(60.0, n_bytes=10), plan_of(5.0, n_bytes=20)
    assert best_of_plans([quick, slow], math.inf) is slow
    assert best_of_plans([slow, quick], 30.0) is quick
    assert best_of_plans([slow, quick], 1.0) is quick


def test_of_plans_that_promise_alike_the_highest_effort_is_taken():
    efforts = [plan_of(10.0 * effort, effort) for effort in range(1, 10)]
    for seconds_left, effort in ((math.inf, 9), (90.0, 9), (89.0, 8), (25.0, 2), (10.0, 1), (1.0, 1)):
        assert best_of_plans(efforts, seconds_left).effort == effort
    other = [plan_of(each.seconds, each.effort, n_bytes=5) for each in efforts]
    larger = [plan_of(each.seconds / 2, each.effort, n_bytes=6) for each in efforts]
    assert best_of_plans([*larger, *other], 45.0) is other[3]
    assert best_of_plans([*larger, *other], 8.0) is larger[0]


def plan_of(seconds: float, effort: int = 5, n_bytes: float | None = None) -> Plan:
    return Plan(Table(), None, effort, (Stage("fit", seconds - 1, 10), Stage("write", 1.0)), 1e9, n_bytes=n_bytes)


def test_a_given_table_needs_no_engine():
    for field, able in ((Table(), True), (Pyramid(2), True), (Pyramid(2, 4), False)):
        for transform in ("none", "rpp"):
            if able:
                assert names(entered(field, transformed(transform), "cuda", "auto")) == ["table"]
            else:
                with pytest.raises(EngineError, match="pyramids"):
                    entered(field, transformed(transform), "cuda", "auto")


@pytest.fixture
def contest_of_two(monkeypatch):
    """Both wavelets and tables suit any picture."""
    for family in (WaveletFamily, TableFamily):
        monkeypatch.setattr(family, "suits", lambda self, picture, request: True)


@pytest.mark.parametrize("shape", [(7, 9, 3), (20, 20, 1)])
def test_the_smaller_file_of_two_families_is_the_answer(shape, contest_of_two):
    raster = picture(*shape)
    alone = {name: encode(raster, EncodeOptions(35.0, name, effort=1)) for name in ("wavelet", "table")}
    best = min(alone.values(), key=lambda each: len(each.data))
    found = encode(raster, EncodeOptions(35.0, effort=1))
    assert found.data == best.data
    assert found.report["field"] == best.report["field"]


def test_the_better_file_of_a_size_is_the_answer(contest_of_two):
    raster = picture(9, 11, 1)
    alone = [encode(raster, EncodeOptions(field=name, size_bytes=140, effort=1)) for name in ("wavelet", "table")]
    found = encode(raster, EncodeOptions(size_bytes=140, effort=1))
    assert found.data == max(alone, key=lambda each: (each.psnr_db, -len(each.data))).data
    assert found.report["target_bytes"] == 140


@pytest.fixture
def planned(monkeypatch):
    """Let a family's plans take a given time for each effort; returns the requests that its fits are given."""

    def let(family, seconds: dict[int, float], writing: float = 0.0) -> list[Request]:
        requests, begin = [], family.begin

        def noting(self, picture, context, given=None):
            session = begin(self, picture, context, given)
            plan, fit = session.plans(Request(Psnr(30.0), 1, 0))[0], session.fit
            session.plans = lambda request: [
                replace(plan, effort=effort, stages=(Stage("fit", each - writing, 9), Stage("write", writing)))
                for effort, each in seconds.items()
                if effort <= request.effort
            ]
            session.fit = lambda plan, request: requests.append(request) or fit(plan, request)
            return session

        monkeypatch.setattr(family, "begin", noting)
        return requests

    return let


def test_families_share_the_time_by_what_they_need(contest_of_two, planned):
    wavelets, tables = planned(WaveletFamily, {1: 30.0}), planned(TableFamily, {1: 10.0})
    encode(picture(7, 9, 1), EncodeOptions(30.0, effort=1, time_limit_s=1000.0))
    deadlines = [each.deadline - each.started for each in (*wavelets, *tables)]
    assert deadlines == pytest.approx([750.0, 1000.0], abs=20)


EFFORTS = {1: 10.0, 2: 20.0, 3: 40.0, 5: 100.0}


@pytest.mark.parametrize(("limit", "effort"), [(None, 5), (1000.0, 5), (70.0, 3), (30.0, 2), (15.0, 1), (5.0, 1)])
def test_a_time_limit_chooses_the_effort_and_leaves_time_to_write(planned, limit, effort):
    requests = planned(TableFamily, EFFORTS, writing=2.0)
    report = encode(picture(7, 9, 1), EncodeOptions(30.0, "table", effort=5, time_limit_s=limit)).report
    assert report["effort"] == effort
    (request,) = requests
    assert request.effort == effort
    assert request.deadline - request.started == pytest.approx(math.inf if limit is None else limit - 2.0, abs=2.0)


def test_a_search_for_a_size_has_time_for_all_of_its_tries(planned):
    requests = planned(TableFamily, EFFORTS)
    encode(picture(9, 11, 1), EncodeOptions(field="table", size_bytes=140, effort=5, time_limit_s=200.0))
    assert {each.effort for each in requests} == {1, 3}


@pytest.mark.parametrize("error", [EngineError("broken"), TargetNotReachedError("too far", 0.0)], ids=repr)
def test_one_family_that_fails_leaves_the_contest_to_the_other(error, contest_of_two, monkeypatch):
    def fail(self, picture, context, given=None):
        raise error

    raster = picture(7, 9, 1)
    alone = encode(raster, EncodeOptions(30.0, "table", effort=1))
    monkeypatch.setattr(WaveletFamily, "begin", fail)
    assert encode(raster, EncodeOptions(30.0, effort=1)).data == alone.data
    monkeypatch.setattr(TableFamily, "begin", fail)
    if isinstance(error, TargetNotReachedError):
        assert encode(raster, EncodeOptions(30.0, effort=1)).report["field"] == "samples"
        return
    with pytest.raises(type(error)):  # which a file of the samples would hide
        encode(raster, EncodeOptions(30.0, effort=1))


def test_the_plan_that_promises_least_is_fitted():
    """A table and a pyramid, told apart by what their analyses would take."""
    chosen = set()
    for transform in ("rpp", "none"):
        moved = transformed(transform, 24, 22)
        session = TableFamily().begin(moved, Context(registry.estimator()))
        plans = session.plans(Request(Psnr(30.0), effort=1, seed=0))
        assert {type(plan.field) for plan in plans} == {Pyramid, Table}
        fewest = min(plans, key=lambda plan: plan.n_bytes).field
        report = encode(moved.raster, EncodeOptions(30.0, "table", transform, effort=1)).report
        assert report["parameters"] == fewest.n_parameters(moved.geometry)
        chosen.add(type(fewest))
    assert chosen == {Pyramid, Table}
