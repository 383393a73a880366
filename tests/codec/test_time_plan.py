"""What people are told of a plan, and how time is shared."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, encode
from nfcodec.codec import time_plan as module
from nfcodec.codec.time_plan import Announcer, Need, announcement, in_words, seconds_beside, shares_of
from nfcodec.fields.table.field import Table
from nfcodec.fitting import cost
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.plans import Plan, Stage
from nfcodec.fitting.request import Request
from nfcodec.raster import Raster
from tests.codec.pictures import picture


def plan(seconds: float) -> Plan:
    return Plan(Table(), None, 5, (Stage("fit", seconds, 9),), 0.64e9)


def test_what_takes_long_is_announced():
    assert announcement(plan(45.2), math.inf) == "this will take about 45 s and 0.6 GB of memory"
    assert announcement(plan(45.2), 50.0, "try") == "each try will take about 45 s and 0.6 GB of memory"
    assert announcement(plan(2.0), math.inf) == ""


def test_one_announcement_covers_what_comes_after():
    """So that one bar goes over all of it; what was not foreseen is announced when it comes."""
    told, announcer = [], Announcer()
    request = Request(Psnr(40.0), 5, 0, listen=told.append, task="quick")
    quick, slow, other = plan(5.0), plan(60.0), plan(9.0)
    announcer.tell(quick, request, [slow])
    announcer.tell(slow, replace(request, task="slow"))
    assert [event.message for event in told] == ["this will take about 65 s and 0.6 GB of memory"]
    assert told[0].plan.stages == [*quick.stages, *slow.stages]
    announcer.tell(other, replace(request, task="other 1"))
    announcer.tell(other, replace(request, task="other 2"))
    assert [event.message for event in told[1:]] == ["each other will take about 9 s and 0.6 GB of memory", ""]
    assert [event.plan.stages for event in told[1:]] == [[*other.stages]] * 2


@pytest.mark.parametrize(
    ("seconds", "message"), [(8.0, "this will take about 65 s"), (4.0, "this would take about 5 s")]
)
def test_only_what_is_cut_short_itself_is_said_to_be(seconds, message):
    """The first of two plans has its own share of the time."""
    told, announcer = [], Announcer()
    request = Request(Psnr(40.0), 5, 0, listen=told.append, deadline=time.monotonic() + seconds)
    announcer.tell(plan(5.0), request, [plan(60.0)])
    assert told[0].message.startswith(message)


def test_what_there_is_no_time_for_is_announced():
    assert announcement(plan(45.2), 30.0) == "this would take about 45 s at the quickest, so it is cut short"
    assert announcement(plan(0.3), -1.0) == "this would take about 1 s at the quickest, so it is cut short"


@pytest.mark.parametrize(
    ("seconds", "words"), [(7.6, "8 s"), (119.0, "119 s"), (600.0, "10 minutes"), (3 * 3600.0, "3 hours")]
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words


def test_time_is_shared_by_need():
    assert shares_of(100.0, [Need(10.0, 30.0), Need(10.0, 10.0)]) == [75.0, 25.0]
    assert shares_of(100.0, [Need(9.0, 10.0)]) == [100.0]
    assert shares_of(math.inf, [Need(1.0, 1.0), Need(1.0, 1.0)]) == [math.inf, math.inf]


def test_all_get_what_they_need_at_least_where_time_is_short():
    needs = [Need(4.0, 4.0), Need(60.0, 160.0), Need(0.0, 20.0)]
    assert shares_of(124.0, needs) == [4.0, 110.0, 10.0]
    assert shares_of(64.0, needs) == [4.0, 60.0, 0.0]
    assert shares_of(32.0, needs) == [2.0, 30.0, 0.0]


def test_what_a_file_holds_beside_its_field_takes_time(monkeypatch):
    monkeypatch.setattr(cost, "slowness", lambda: 1.0)
    samples = np.zeros((10, 20, 3), np.uint8)
    bare, clear = Raster(samples), Raster(samples, samples[:, :, 0])
    assert seconds_beside(bare, 0, exact=False) == 0
    assert seconds_beside(bare, 0, exact=True) == pytest.approx(600 * module.RESIDUAL.alone)
    assert seconds_beside(clear, 1, exact=False) == pytest.approx(400 * module.PLANE.alone)


@pytest.mark.parametrize(
    ("options", "words"), [({"psnr_db": 30.0}, {"this"}), ({"size_bytes": 300}, {"quick try", "try"})]
)
def test_each_effort_is_announced_once(monkeypatch, options, words):
    """The plans themselves come with each try."""
    monkeypatch.setattr(module, "LONG_S", 0.0)
    events = []
    encode(picture(12, 13, 1), EncodeOptions(**options, field="table", effort=3), events.append)
    told = [event.message for event in events if "of memory" in event.message]
    assert {each.partition(" will")[0].removeprefix("each ") for each in told} == words
    assert len(told) == len(words)
    tasks = [event.task for event in events if event.plan is not None]
    assert len(tasks) == len(set(tasks))
    assert set(tasks) == {event.task for event in events if event.phase == "write"}


def test_what_a_time_limit_cuts_short_keeps_its_promise():
    events = []
    options = EncodeOptions(36.0, field="table", effort=5, time_limit_s=1e-6)
    encoded = encode(picture(80, 70), options, events.append)
    assert encoded.report["reached"]
    assert any("cut short" in event.message for event in events)
