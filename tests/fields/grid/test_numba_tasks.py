from __future__ import annotations

import itertools
import time

import pytest

from nfcodec.fields.grid.numba_tasks import Plan, staggered
from nfcodec.workers import Workers


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("n_bands", [1, 2, 7])
def test_a_band_waits_for_the_stage_before_in_it_and_beside_it(n_threads, n_bands):
    finished = []

    def task(stage, band):
        def do(_):
            if stage:
                before = {(stage - 1, each) for each in (band - 1, band, band + 1) if 0 <= each < n_bands}
                assert before <= set(finished)
            time.sleep(0.002 * ((stage + band) % 3))
            finished.append((stage, band))

        return do

    plan = Plan()
    beside = [lambda _, i=i: finished.append(i) for i in range(5)]
    staggered(plan, [[task(stage, band) for band in range(n_bands)] for stage in range(4)], beside)
    plan.run(Workers(n_threads))
    expected = [*itertools.product(range(4), range(n_bands)), *range(5)]
    assert sorted(finished, key=str) == sorted(expected, key=str)


def test_who_waits_for_a_task_that_fails_ends_too():
    def fail(_):
        time.sleep(0.05)
        raise ZeroDivisionError

    plan, ran = Plan(), []
    first = plan.add(fail)
    plan.add(ran.append, [first])
    with pytest.raises(ZeroDivisionError):
        plan.run(Workers(2))
    assert not ran
