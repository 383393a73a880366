from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.cli._bar import FIRST, Bar, Line
from nfcodec.fields.table.field import Table
from nfcodec.fitting.plans import Plan, Stage
from nfcodec.fitting.request import Event

STAGES = (Stage("fit", 60.0, 100), Stage("quantize", 20.0), Stage("shrink", 15.0, 30), Stage("write", 5.0))


def event(phase: str, step: int = 0, seconds: float = 0.0, total: int = 100, task: str = "") -> Event:
    return Event(phase, step, total, 30.0, 40.0, seconds, task=task)


def planned(stages: Sequence[Stage] = STAGES, seconds: float = 0.0, task: str = "") -> Event:
    plan = Plan(Table(), None, 5, stages, 1e9)
    return Event("prepare", 0, 0, -math.inf, 40.0, seconds, task=task, plan=plan)


def shown(*events: Event) -> Line:
    bar = Bar()
    return [bar.line(each) for each in events][-1]


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        ("fit", "fitting"),
        ("shrink", "saving bytes"),
        ("fine-tune", "fine-tuning"),
        ("quantize", "rounding"),
        ("a", "a"),
    ],
)
def test_phases_have_plain_names(phase, words):
    assert shown(event(phase)).name == words
    assert shown(planned(), event(phase, task="try 2")).name == f"try 2: {words}"


def test_nothing_is_known_before_a_plan():
    assert shown(event("prepare")) == Line(FIRST, psnr="30.00 dB now, target 40.00 dB")
    assert shown(event("fit", 50)).share is None


def test_the_target_stands_beside_the_psnr():
    assert shown(Event("fit", 1, 10, 30.0, math.nan, 0.0)).psnr == "30.00 dB now"
    assert shown(Event("fit", 1, 10, -math.inf, 40.0, 0.0)).psnr == ""


def test_a_plan_that_comes_true():
    """One bar over all stages: steps count where there are some, time where there are none."""
    bar = Bar()
    assert bar.line(planned(seconds=3.0)) == Line(FIRST, 0.0, "100 s left")
    told = [("fit", 50, 33.0), ("fit", 90, 57.0), ("quantize", 0, 63.0), ("quantize", 1, 73.0), ("shrink", 0, 83.0)]
    lines = [bar.line(event(phase, step, seconds)) for phase, step, seconds in told]
    assert [line.share for line in lines] == pytest.approx([0.3, 0.54, 0.6, 0.7, 0.8])
    assert [line.left for line in lines] == ["70 s left", "46 s left", "40 s left", "30 s left", "20 s left"]


def test_what_is_left_follows_the_pace_of_what_is_done():
    """Twice as fast as planned, then a pause: fewer seconds are left, and more are never shown again."""
    quick = shown(planned(), event("fit", 50, 15.0))
    assert quick.share == pytest.approx(0.3)
    assert int(quick.left.split()[0]) < 50
    paused = shown(planned(), event("fit", 50, 15.0), event("fit", 51, 95.0))
    assert paused.left == quick.left
    assert paused.share == pytest.approx(0.306)


def test_parts_of_one_stage_add_up():
    """Tiles are fitted one after the other, each from step 0 on."""
    events = [event("fit", step, 1.0) for step in (0, 25, 50, 0, 25)]
    assert shown(planned(), *events).share == pytest.approx(0.45)


def test_stages_of_one_phase_are_told_apart_by_their_bounds():
    stages = (Stage("fit", 10.0, 100), Stage("fit", 80.0, 50), Stage("write", 10.0))
    events = [event("fit", 60, 6.0, 100), event("fit", 0, 10.0, 50), event("fit", 25, 50.0, 50)]
    assert shown(planned(stages), *events).share == pytest.approx(0.5)


def test_a_stage_that_takes_longer_than_planned_is_not_over():
    assert shown(planned(), event("fit", 500, 300.0)).share == pytest.approx(0.57)
    assert (
        shown(planned(), event("fit", 100, 60.0), event("quantize", 0, 60.0), event("quantize", 1, 500.0)).share < 0.8
    )


def test_a_phase_that_is_not_planned_changes_nothing_but_the_name():
    line = shown(planned(), event("shrink", 30, 80.0), event("fit", 3, 90.0))
    assert (line.name, line.share) == ("fitting", pytest.approx(0.8 + 0.15 * 0.95))


def test_a_bar_begins_anew_with_each_plan():
    lines = [planned(task="try 1"), event("write", seconds=90.0, task="try 1"), planned(seconds=100.0, task="try 2")]
    assert shown(*lines).share == 0.0
    assert shown(*lines).left == "100 s left"


def test_one_bar_goes_over_the_encodes_that_a_plan_covers():
    """As where two fields are compared; phases come again, and names tell the encodes apart."""
    stages = (Stage("quantize", 4.0), Stage("write", 1.0), Stage("fit", 90.0, 100), Stage("write", 5.0))
    events = [planned(stages, task="wavelet"), event("quantize", seconds=0.0, task="wavelet")]
    events += [event("write", seconds=4.0, task="wavelet"), event("fit", 50, 50.0, task="grid")]
    assert shown(*events) == Line("grid: fitting", 0.5, "50 s left", "30.00 dB now, target 40.00 dB")
    assert shown(*events, event("write", seconds=95.0, task="grid")).share == pytest.approx(0.95)


def test_many_seconds_are_minutes():
    assert shown(planned([Stage("fit", 600.0, 10)])).left == "10 min left"


phases = st.sampled_from(["prepare", "fit", "shrink", "fine-tune", "quantize", "write", "other"])
some_stages = st.lists(st.builds(Stage, phases, st.floats(0, 1e4), st.integers(0, 500)), min_size=1, max_size=8)
moments = st.tuples(phases, st.integers(0, 600), st.integers(0, 600), st.floats(0, 1e3))


@given(some_stages, st.lists(moments, max_size=40))
def test_no_event_takes_the_bar_back(stages, told):
    bar = Bar()
    last, seconds = bar.line(planned(stages)), 0.0
    for phase, step, total, took in told:
        seconds += took
        line = bar.line(event(phase, step, seconds, total))
        assert last.share <= line.share <= 1
        assert in_seconds(line) <= in_seconds(last)
        last = line


def in_seconds(line: Line) -> float:
    number, unit, _ = line.left.split()
    return float(number) * {"s": 1, "min": 60}[unit]
