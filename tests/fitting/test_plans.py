"""Plans, and what they are reckoned from."""

from __future__ import annotations

import pytest

from nfcodec.exact.geometry import Geometry, part_of
from nfcodec.fields.table.field import Table
from nfcodec.fitting import cost
from nfcodec.fitting.cost import Measured, Work, crop, quickest, slowness
from nfcodec.fitting.plans import Plan, Stage

FIT, ROUND, TUNE, WRITE = (
    Stage("fit", 60.0, 10),
    Stage("quantize", 20.0),
    Stage("fine-tune", 8.0, 5),
    Stage("write", 2.0),
)


def plan(*stages: Stage) -> Plan:
    return Plan(Table(), None, 5, stages, 1e9)


@pytest.mark.parametrize(
    ("stages", "rounding", "writing"),
    [
        ((FIT, ROUND, WRITE), 20.0, 2.0),
        ((FIT, ROUND, TUNE, WRITE), 0.0, 2.0),
        ((FIT, ROUND, TUNE, ROUND, ROUND, WRITE, WRITE), 40.0, 4.0),
        ((ROUND, WRITE), 0.0, 2.0),
    ],
)
def test_what_follows_the_last_step(stages, rounding, writing):
    made = plan(*stages)
    assert made.seconds == sum(stage.seconds for stage in stages)
    assert (made.seconds_of_rounding, made.seconds_of_writing) == (rounding, writing)


def test_more_to_write():
    made = plan(FIT, WRITE).with_more_to_write(3.0)
    assert (made.seconds, made.seconds_of_writing) == (65.0, 5.0)
    assert made.with_more_to_write(0.0) is made


def test_work_is_shared_by_threads_as_far_as_it_can_be(monkeypatch):
    monkeypatch.setattr(cost, "slowness", lambda: 2.0)
    for n_threads, seconds in ((1, 12.0), (2, 8.0), (4, 6.0)):
        monkeypatch.setattr(cost, "n_threads", lambda n=n_threads: n)
        assert Work(alone=1.0, shared=2.0).seconds(2.0) == seconds


def test_measured_seconds_are_on_a_line_between_sizes(monkeypatch):
    """Of logarithms; constant before the first size, and proportional behind the last."""
    monkeypatch.setattr(cost, "slowness", lambda: 2.0)
    monkeypatch.setattr(cost, "n_threads", lambda: 2)
    measured = Measured([(10.0, 1.0), (1000.0, 9.0), (4000.0, 30.0)], shared=0.5)
    for n, seconds in ((1.0, 1.0), (10.0, 1.0), (100.0, 3.0), (1000.0, 9.0), (4000.0, 30.0), (8000.0, 60.0)):
        assert measured.seconds(n) == pytest.approx(2 * seconds)
    for n_threads, times in ((1, 4 / 3), (4, 5 / 6)):
        monkeypatch.setattr(cost, "n_threads", lambda n=n_threads: n)
        assert measured.seconds(10.0) == pytest.approx(2 * times)


def test_this_machine_is_no_slower_each_time():
    assert 0.05 < slowness() < 50
    assert slowness() == slowness()


def test_the_quickest_counts(monkeypatch):
    times = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    monkeypatch.setattr(cost.time, "perf_counter", lambda: next(times))
    assert quickest(lambda: None, 3) == 2.0


@pytest.mark.parametrize("shape", [(512, 768), (10, 3000), (1, 1), (7, 9)])
@pytest.mark.parametrize("n_pixels", [64, 40_000, 1e9])
def test_a_crop_has_about_so_many_pixels(shape, n_pixels):
    geometry = Geometry(*shape, 3)
    down, across = place = crop(geometry, n_pixels)
    assert 0 <= down.start < down.stop <= geometry.height
    assert 0 <= across.start < across.stop <= geometry.width
    found = part_of(geometry, place).n_pixels
    assert found == geometry.n_pixels or found == pytest.approx(n_pixels, rel=0.5)
