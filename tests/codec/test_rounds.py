"""The contest of several families, with families that only say what they would do."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from nfcodec.codec import Encoded, EncodeOptions, decode, encode
from nfcodec.codec.contest import Entrant, best_of, best_of_plans
from nfcodec.codec.rounds import Contest
from nfcodec.codec.time_plan import Need
from nfcodec.errors import EngineError
from nfcodec.fields import Table, registry
from nfcodec.fitting.family import QuickTry
from nfcodec.fitting.goals import Psnr, Size
from nfcodec.fitting.plans import Plan, Stage
from nfcodec.fitting.request import Request
from tests.codec.pictures import picture
from tests.contract.toy_family import MosaicFamily, MosaicSession

QUICK = QuickTry(effort=1, saves=0.1)


@dataclass(frozen=True)
class Rival:
    """Stands for a family."""

    name: str
    quick_try: QuickTry | None = None
    bounds_size: bool = False


@dataclass
class Fake:
    """A contender whose files are made at once.

    Attributes:
        files: bytes and PSNR by effort; those of an effort in between are those of the next lower one.
        seconds: that its plans take, by effort.
        asked: the requests, and what was announced to come after them.
    """

    family: Any
    files: dict[int, tuple[int, float]]
    seconds: dict[int, float] = field(default_factory=lambda: {1: 1.0})
    least_effort: int = 1
    failure: Exception | None = None
    asked: list[tuple[Request, list[Plan]]] = field(default_factory=list)

    @property
    def entrant(self):
        return Entrant(self.family, least_effort=self.least_effort)

    def plans(self, request):
        stages = {effort: (Stage("fit", seconds),) for effort, seconds in self.seconds.items()}
        found = [Plan(Table(), None, effort, each, 1e9) for effort, each in stages.items() if effort <= request.effort]
        return [plan for plan in found if plan.effort >= request.least_effort] or found

    def need(self, request):
        seconds = [plan.seconds for plan in self.plans(request)]
        return Need(min(seconds), max(seconds))

    def plan(self, request):
        return best_of_plans(self.plans(request), request.deadline - time.monotonic())

    def is_beside_the_point(self, files, failures, request):
        return False

    def file(self, request, coming=()):
        self.asked.append((request, list(coming)))
        if self.failure is not None:
            raise self.failure
        n_bytes, psnr_db = self.files[max(effort for effort in self.files if effort <= request.effort)]
        goal = request.goal
        reached = n_bytes <= goal.n_bytes if isinstance(goal, Size) else psnr_db >= goal.psnr_db
        report = {"field": self.family.name, "effort": request.effort, "psnr_db": psnr_db, "reached": reached}
        return Encoded(bytes(n_bytes), report)

    @property
    def efforts(self):
        return [request.effort for request, _ in self.asked]


def wavelet(quick: int, full: int, **more: Any) -> Fake:
    return Fake(Rival("wavelet", QUICK), {1: (quick, 40.0), 5: (full, 40.0)}, **more)


def grid(n_bytes: int, **more: Any) -> Fake:
    return Fake(Rival("grid"), {1: (n_bytes, 40.0)}, **more)


def played(*contenders: Fake, **wishes: Any) -> Contest:
    request = Request(**{"goal": Psnr(40.0), "effort": 5, "seed": 0, **wishes})
    if "deadline" in wishes:
        request = replace(request, deadline=time.monotonic() + wishes["deadline"])
    contest = Contest(contenders, [], request)
    contest.play()
    return contest


@pytest.mark.parametrize(
    ("grid_bytes", "efforts", "kept"),
    [(200, [1, 5], ("wavelet", 93)), (95, [1, 5], ("wavelet", 93)), (91, [1, 5], ("grid", 91)),
     (90, [1], ("grid", 90)), (50, [1], ("grid", 50))],
)  # fmt: skip
def test_all_effort_goes_to_the_rivals_that_may_win(grid_bytes, efforts, kept):
    """The quick file has 100 bytes and that of all effort 93, so what is kept is never larger than these."""
    first, second = wavelet(100, 93), grid(grid_bytes)
    contest = played(first, second)
    assert (first.efforts, second.efforts) == (efforts, [5])
    best = best_of(contest.files, Psnr(40.0))
    assert (best.report["field"], len(best.data)) == kept
    assert len(contest.files) == 1 + len(efforts)


def test_the_better_file_of_a_size_is_kept():
    first = Fake(Rival("wavelet", QUICK), {1: (100, 38.0), 5: (100, 38.5)})
    second = Fake(Rival("grid"), {1: (100, 39.5)})
    contest = played(first, second, goal=Size(100))
    assert best_of(contest.files, Size(100)).report["field"] == "grid"
    assert first.efforts == [1]


@pytest.mark.parametrize("others", [(), (Fake(Rival("samples", bounds_size=True), {1: (500, math.inf)}),)])
def test_who_has_no_rival_makes_its_file_at_once(others):
    alone = wavelet(100, 93)
    played(alone, *others)
    ((request, _),) = alone.asked
    assert (request.effort, request.task) == (5, "")


def test_an_effort_that_is_quick_itself_takes_no_second_round():
    first = wavelet(100, 93)
    played(first, grid(200), effort=1)
    assert first.efforts == [1]


def test_a_rival_that_fails_leaves_the_picture_to_the_other():
    first, second = wavelet(100, 93), grid(50, failure=EngineError("broken"))
    contest = played(first, second)
    assert first.efforts == [1, 5]
    assert [str(error) for error in contest.failures] == ["broken"]
    other = grid(50)
    contest = played(wavelet(100, 93, failure=EngineError("broken")), other)
    assert (len(contest.files), other.efforts) == (1, [5])


def test_what_is_announced_first_covers_the_first_round():
    first, second = wavelet(100, 93, seconds={1: 4.0, 5: 20.0}), grid(95, seconds={4: 90.0, 5: 180.0})
    last = Fake(Rival("samples", bounds_size=True), {1: (500, math.inf)})
    played(first, second, last)
    coming = {turn[0].task: [plan.seconds for plan in turn[1]] for turn in (first.asked[0], second.asked[0])}
    assert coming == {"wavelet": [180.0, 1.0], "grid": [1.0]}
    assert first.asked[1][1] == last.asked[0][1] == []


SECONDS = {"wavelet": {1: 4.0, 3: 12.0, 5: 20.0}, "grid": {1: 20.0, 4: 90.0, 5: 190.0}}


@pytest.mark.parametrize(
    ("limit", "wavelets", "grids"),
    [
        (600.0, [(1, 1), (2, 5)], [(4, 5)]),
        (120.0, [(1, 1), (2, 5)], [(4, 5)]),
        (60.0, [(1, 5)], []),
        (2.0, [(1, 5)], []),
    ],
)
def test_who_suits_only_more_effort_than_there_is_time_for_is_left_out(limit, wavelets, grids):
    """Pairs of the least and the highest effort that a file may take."""
    first = wavelet(100, 93, seconds=SECONDS["wavelet"])
    second = grid(95, seconds=SECONDS["grid"], least_effort=4)
    played(first, second, deadline=limit)
    found = [[(request.least_effort, request.effort) for request, _ in each.asked] for each in (first, second)]
    assert found == [wavelets, grids]


def test_a_quick_try_takes_little_of_the_time():
    first = wavelet(100, 93, seconds=SECONDS["wavelet"])
    second = grid(95, seconds=SECONDS["grid"], least_effort=4)
    began = time.monotonic()
    played(first, second, deadline=120.0)
    quick, grids, again = (request.deadline - began for request, _ in (first.asked[0], second.asked[0], first.asked[1]))
    assert quick == pytest.approx(4.0, abs=1)
    assert grids == pytest.approx(90 + (120 - 90) * 100 / 120, abs=2)
    assert again == pytest.approx(120.0, abs=1)


def test_a_second_round_for_which_there_is_no_time_is_not_announced():
    """As where the file of a rival took all of it."""
    first, told = wavelet(100, 93, seconds={1: 1.0, 5: 900.0}), []
    played(first, grid(95, seconds={1: 1.0}), deadline=500.0, listen=told.append)
    assert (first.efforts, told) == ([1], [])


def test_a_file_is_made_even_if_the_time_is_up_for_everybody():
    first, second = wavelet(100, 93), grid(95)
    contest = played(first, second, deadline=-1.0)
    assert [each.report["field"] for each in contest.files] == ["wavelet"]


class SketchFamily(MosaicFamily):
    """Tiles of one pixel, quickly; with all effort the same file."""

    name = "sketch"
    quick_try = QUICK

    def suits(self, picture, request):
        return True


class TilesSession(MosaicSession):
    """One plan for each effort, of half a minute."""

    def plans(self, request):
        (plan,) = super().plans(request)
        return [replace(plan, effort=request.effort, stages=[Stage("quantize", 30.0), *plan.stages[-1:]])]


class TilesFamily(MosaicFamily):
    """The same, but slowly."""

    name = "tiles"

    def suits(self, picture, request):
        return request.effort >= 4

    def begin(self, picture, context, given=None):
        return TilesSession(picture, super().begin(picture, context, given)._problem.field)


@pytest.fixture
def two_families(monkeypatch):
    """Of auto, beside the samples."""
    fields = {200: "tests.contract.toy_family:Mosaic"}
    found = {
        name: registry.Entry(f"tests.codec.test_rounds:{family}", fields, name)
        for name, family in (("sketch", "SketchFamily"), ("tiles", "TilesFamily"))
    }
    monkeypatch.setattr(registry, "FAMILIES", {**found, "samples": registry.FAMILIES["samples"]})


def test_the_encoder_tells_what_it_tries_and_what_it_keeps(two_families):
    events = []
    encoded = encode(picture(40, 40), EncodeOptions(30.0), events.append)
    files = [(each["field"], each["effort"]) for each in encoded.report["tried"]]
    assert files[:2] == [("sketch", 1), ("tiles", 5)]
    assert encoded.report["tried"][0]["bytes"] == len(encoded.data)
    assert all(each["psnr_db"] >= 30 for each in encoded.report["tried"])
    kept = f"kept sketch at effort 1 ({len(encoded.data):,} bytes, {encoded.psnr_db:.2f} dB); not tiles at effort 5 ("
    assert events[-1].message.startswith(kept)
    messages = [event.message for event in events if event.message]
    assert [each for each in messages if "will take" in each] == ["this will take about 30 s and 0.1 GB of memory"]
    assert "sketch: effort 5 may make a better file than the best so far" in messages
    told = [event.task for event in events if event.plan is not None]
    assert told == ["sketch", "sketch"]  # the second time for the second round
    assert decode(encoded.data).samples.shape == (40, 40, 3)


def test_a_lower_effort_has_no_contest(two_families):
    events = []
    encoded = encode(picture(40, 40), EncodeOptions(30.0, effort=3), events.append)
    assert {each["field"] for each in encoded.report["tried"]} <= {"sketch", "samples"}
    assert not [event for event in events if event.task]
