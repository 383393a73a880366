"""The search for the best rate, on programs whose curves are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.paper.arms import arm
from benchmarks.paper.programs import EngineProgram, Run, Runs
from benchmarks.paper.race import Entry, best_rate, bracket, whole
from benchmarks.paper.stacked import StackedSiren
from nfcodec.fields import Ngp, Siren
from nfcodec.fitting import Objective, engines

Curve = Sequence[float]


class Scripted(Runs):
    """Runs that follow given curves, and remember how often they were stepped."""

    def __init__(self, curves: Sequence[Curve]) -> None:
        self._curves, self._at = curves, [0] * len(curves)
        self.seconds = [0.0] * len(curves)

    def psnrs(self, alive: Sequence[int]) -> list[float]:
        return [self._curves[run][min(self._at[run], len(self._curves[run]) - 1)] for run in alive]

    def update(self, alive: Sequence[int]) -> None:
        for run in alive:
            self._at[run] += 1
            self.seconds[run] += 1.0


def towards(steps: int, target: float = 50.0) -> Curve:
    """A curve that reaches the target after so many steps."""
    return [target * i / steps for i in range(steps + 1)]


def starting(curves: Sequence[Sequence[Curve]]):
    def start(entries: Sequence[Entry]) -> Runs:
        return Scripted([curves[race][rate] for race, rate in entries])

    return start


@pytest.mark.parametrize("first", range(7))
@pytest.mark.parametrize("best", range(7))
def test_brackets_and_whole_grids_agree(first: int, best: int) -> None:
    curves = [[towards(100 + 40 * abs(rate - best)) for rate in range(7)]]
    for found in (whole(starting(curves), 1, 7, 50.0, 1000), bracket(starting(curves), 1, 7, first, 50.0, 1000)):
        assert best_rate(found[0]) == best
        assert found[0][best].steps == 100
        assert found[0][best].ending == "reached"


def test_a_bracket_goes_on_past_rates_that_lose_narrowly() -> None:
    stalls = [49.0 * i / 89 for i in range(90)] + [49.0] * 100
    curves = [[[10.0], towards(90), stalls, towards(80), [20.0], [20.0]]]
    found = bracket(starting(curves), 1, 6, 1, 50.0, 1000)[0]
    assert best_rate(found) == 3
    assert found[3].steps == 80
    assert set(found) == {0, 1, 2, 3, 4}


def test_races_do_not_disturb_each_other() -> None:
    curves = [[towards(50), towards(90), towards(200)], [towards(300), towards(200), towards(60)]]
    found = bracket(starting(curves), 2, 3, 0, 50.0, 1000)
    assert [best_rate(outcomes) for outcomes in found] == [0, 2]
    assert [found[0][0].steps, found[1][2].steps] == [50, 60]


def test_lagging_rates_are_given_up() -> None:
    curves = [[towards(100), towards(101), towards(1000)]]
    found = bracket(starting(curves), 1, 3, 0, 50.0, 1000)[0]
    assert found[1].ending == "beaten"
    assert found[2].ending == "dominated"
    assert found[2].steps < 50


def test_a_rate_that_begins_badly_and_stalls_is_not_given_up_for_either() -> None:
    """So it was on Kodak 2 with a SIREN of 256 x 256: behind until step 75, level from 170 to 440, there after 575."""
    fast = [*np.interp(range(575), [0, 20, 74, 110, 200, 440], [10, 23, 29.8, 38, 42.5, 43]), 50.0]
    slow = np.interp(range(1333), [0, 10, 37, 200, 1332], [10, 23.5, 30.5, 36, 50]).tolist()
    found = bracket(starting([[[5.0], fast, slow, [4.0]]]), 1, 4, 1, 50.0, 10_000)[0]
    assert best_rate(found) == 1
    assert found[1].steps == 575
    assert found[2].ending == "reached"


def test_what_does_not_arrive_is_capped_and_what_is_no_number_has_diverged() -> None:
    found = bracket(starting([[[5.0], [6.0], [1.0, -math.inf], [7.0]]]), 1, 4, 1, 50.0, 60)[0]
    assert best_rate(found) is None
    assert {rate: (outcome.ending, outcome.steps) for rate, outcome in found.items()} == {
        0: ("capped", 60), 1: ("capped", 60), 2: ("diverged", 1), 3: ("capped", 60),
    }  # fmt: skip


def stalling(at: float, steps: int, then: Curve = ()) -> Curve:
    """A curve that rises fast to a PSNR, stays there for so many steps, and then goes on as given."""
    return [*towards(50, at), *[at] * steps, *then]


def test_rates_that_stall_make_way_for_their_neighbours() -> None:
    """The two first rates stall for good: the third is found without waiting for the last step allowed."""
    steps = []

    def start(entries: Sequence[Entry]) -> Runs:
        steps.append(program := Scripted([curves[rate] for _, rate in entries]))
        return program

    curves = [stalling(23.0, 10), stalling(22.0, 10), towards(595), towards(700)]
    found = bracket(start, 1, 4, 0, 50.0, 10_000)[0]
    assert best_rate(found) == 2
    assert found[2].steps == 595
    assert {found[0].ending, found[1].ending} == {"dominated"}  # run again, as they had been ahead of the record
    assert sum(sum(program.seconds) for program in steps) < 3500


def test_a_rate_that_stalls_for_a_while_is_found_all_the_same() -> None:
    """Once alone on its side, as nobody else arrives; once better than the record that others set meanwhile."""
    slow = stalling(30.0, 400, [30.0 + i for i in range(21)])
    assert best_rate(bracket(starting([[slow, [5.0], [4.0]]]), 1, 3, 0, 50.0, 1000)[0]) == 0
    found = bracket(starting([[slow, slow, towards(900), [4.0]]]), 1, 4, 0, 50.0, 1000)[0]
    assert best_rate(found) in (0, 1)
    assert found[0].steps == len(slow) - 1
    assert found[2].ending == "reached"


def test_a_search_in_which_no_rate_arrives_runs_one_of_those_that_stall_to_the_end() -> None:
    found = bracket(starting([[[10.0 + rate] for rate in range(6)]]), 1, 6, 0, 50.0, 5000)[0]
    assert {rate: outcome.ending for rate, outcome in found.items()} == {
        **dict.fromkeys(range(5), "stalled"), 5: "capped",
    }  # fmt: skip


def test_where_no_rate_arrives_a_side_is_given_up_that_ends_far_below_the_best() -> None:
    slow = [[psnr_db * (1 - 1 / (1 + i / 40)) for i in range(1001)] for psnr_db in (20.0, 30.0, 45.0, 44.0, 30.0, 20.0)]
    found = bracket(starting([slow]), 1, 6, 2, 50.0, 1000)[0]
    assert set(found) == {1, 2, 3, 4}


@pytest.mark.parametrize(("stride", "best"), [(2, 3), (2, 4), (4, 5), (4, 2), (4, 0), (4, 12)])
def test_rates_between_the_powers_of_two_are_tried_around_the_best(stride: int, best: int) -> None:
    curves = [[towards(100 + 10 * abs(rate - best)) for rate in range(13)]]
    found = bracket(starting(curves), 1, 13, 4, 50.0, 1000, stride=stride)[0]
    assert best_rate(found) == best
    assert found[best].steps == 100


def test_whoever_watches_is_told_of_every_step() -> None:
    told = []
    bracket(starting([[towards(40), towards(30)]]), 1, 2, 0, 50.0, 99, lambda *each: told.append(each))
    assert [step for step, _, _ in told] == list(range(31))
    assert told[-1] == (30, 99, {(0, 0): 37.5, (0, 1): 50.0})


def test_the_number_of_steps_is_that_of_updates() -> None:
    found = whole(starting([[[0.0, 10.0, 51.0]]]), 1, 1, 50.0, 10)[0][0]
    assert found.steps == 2
    assert found.curve == [0.0, 10.0, 51.0]
    assert found.seconds == 2.0
    assert whole(starting([[[60.0]]]), 1, 1, 50.0, 10)[0][0].steps == 0


def test_one_rate_alone() -> None:
    assert best_rate(bracket(starting([[towards(30)]]), 1, 1, 0, 50.0, 100)[0]) == 0


# ------------------------------------------------------------------------------------------------------- real programs

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
CHAINS = ("none", "rpp", "standardize", "gamma:2")


def test_stacked_matrix_products_and_engines_take_the_same_steps() -> None:
    runs = [Run(arm(chain, PICTURE), 2.0**rate) for chain in CHAINS for rate in (-9, -11)]
    programs = [EngineProgram(Siren(8), 16, runs), StackedSiren(Siren(8), 16, runs)]
    programs[1].CHUNK_FLOATS = 3000  # pyright: ignore[reportAttributeAccessIssue]
    alive = list(range(len(runs)))
    for step in range(12):
        if step == 6:
            alive = [1, 4, 6]
        ours, theirs = (program.psnrs(alive) for program in programs)
        np.testing.assert_allclose(ours, theirs, atol=2e-3)
        for program in programs:
            program.update(alive)
    for name, value in programs[0].parameters(4).items():
        np.testing.assert_allclose(value, programs[1].parameters(4)[name], atol=1e-4)
    np.testing.assert_allclose(programs[0].outputs(6), programs[1].outputs(6), atol=1e-3)


def test_engines_may_be_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [Run(arm(chain, PICTURE), 2.0**-9) for chain in CHAINS]
    create = engines.create

    def in_blocks(*args, **kwargs):
        engine = create(*args, **kwargs)
        monkeypatch.setattr(engine, "block", 5, raising=False)
        return engine

    monkeypatch.setattr(engines, "create", in_blocks)
    asked, ahead = (EngineProgram(Siren(8), 16, runs, ahead=each) for each in (False, True))
    for step in range(12):
        alive = [0, 1, 2, 3] if step < 7 else [1, 3]
        assert asked.psnrs(alive) == ahead.psnrs(alive)
        for program in (asked, ahead):
            program.update(alive)


@pytest.mark.parametrize("chain", CHAINS)
def test_the_psnr_of_a_run_is_that_of_its_outputs(chain: str) -> None:
    made = arm(chain, PICTURE)
    for program in (EngineProgram(Siren(8), 16, [Run(made, 1e-3)]), StackedSiren(Siren(8), 16, [Run(made, 1e-3)])):
        for _ in range(5):
            psnr_db = program.psnrs([0])[0]
            assert psnr_db == pytest.approx(made.psnr_db(program.outputs(0)), abs=1e-3)
            program.update([0])


def test_sixteen_bit_parameters_change_what_the_field_is() -> None:
    made = arm("none", PICTURE)
    programs = [
        EngineProgram(Ngp.instant(16), 16, [Run(made, 2.0**-6)], objective=objective)
        for objective in (Objective(), Objective(half=True))
    ]
    for _ in range(8):
        psnrs = [program.psnrs([0])[0] for program in programs]
        for program in programs:
            program.update([0])
    assert psnrs[0] != psnrs[1]
    assert psnrs[0] == pytest.approx(psnrs[1], abs=1.0)
    weights = programs[1].parameters(0)["weight0"]
    assert not np.array_equal(weights, weights.astype(np.float16))  # the master copy stays in 32 bits
    outputs = programs[1].outputs(0)
    programs[1].restore(0, {n: v.astype(np.float16).astype(np.float32) for n, v in programs[1].parameters(0).items()})
    np.testing.assert_array_equal(programs[1].outputs(0), outputs)
