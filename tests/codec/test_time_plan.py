"""What people are told of a plan, and how time is shared."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, encode
from nfcodec.codec import time_plan as module
from nfcodec.codec.time_plan import announcement, in_words, seconds_beside, share_of
from nfcodec.fields.table.field import Table
from nfcodec.fitting import cost
from nfcodec.fitting.plans import Plan, Stage
from nfcodec.raster import Raster
from tests.codec.pictures import picture


def plan(seconds: float) -> Plan:
    return Plan(Table(), None, 5, (Stage("fit", seconds, 9),), 0.64e9)


def test_what_takes_long_is_announced():
    assert announcement(plan(45.2), math.inf) == "this will take about 45 s and 0.6 GB of memory"
    assert announcement(plan(45.2), 50.0, "try") == "each try will take about 45 s and 0.6 GB of memory"
    assert announcement(plan(2.0), math.inf) == ""


def test_what_there_is_no_time_for_is_announced():
    assert announcement(plan(45.2), 30.0) == "this would take about 45 s at the quickest, so it is cut short"
    assert announcement(plan(0.3), -1.0) == "this would take about 1 s at the quickest, so it is cut short"


@pytest.mark.parametrize(
    ("seconds", "words"), [(7.6, "8 s"), (119.0, "119 s"), (600.0, "10 minutes"), (3 * 3600.0, "3 hours")]
)
def test_times_in_words(seconds, words):
    assert in_words(seconds) == words


def test_time_is_shared_by_need():
    assert share_of(100.0, [30.0, 10.0]) == 75.0
    assert share_of(100.0, [10.0]) == 100.0
    assert math.isinf(share_of(math.inf, [1.0, 1.0]))


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
