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


def test_what_does_not_arrive_is_capped_and_what_is_no_number_has_diverged() -> None:
    found = bracket(starting([[[5.0], [6.0], [1.0, -math.inf], [7.0]]]), 1, 4, 1, 50.0, 60)[0]
    assert best_rate(found) is None
    assert {rate: (outcome.ending, outcome.steps) for rate, outcome in found.items()} == {
        0: ("capped", 60), 1: ("capped", 60), 2: ("diverged", 1), 3: ("capped", 60),
    }  # fmt: skip


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
