from __future__ import annotations

import math

import pytest
from nfcodec.cli._phases import Line, Phases

from nfcodec.fitting.request import Event


def event(phase: str, step: int, total: int = 10, psnr_db: float = 30.0, task: str = "") -> Event:
    return Event(phase, step, total, psnr_db, 40.0, 0.0, task=task)


@pytest.mark.parametrize(
    ("phase", "words"),
    [("fit", "fitting"), ("shrink", "saving bytes"), ("fine-tune", "fine-tuning"), ("other", "other")],
)
def test_phases_have_plain_names(phase, words):
    assert Phases().line(event(phase, 3)) == Line(words, 3, 10, "30.00 dB now, target 40.00 dB")


def test_the_target_stands_beside_the_psnr():
    no_target = Event("fit", 1, 10, 30.0, math.nan, 0.0)
    assert Phases().line(no_target).psnr == "30.00 dB now"
    assert Phases().line(event("fit", 1, psnr_db=-math.inf)).psnr == ""


def test_a_search_has_no_bar():
    """It ends when it has found what it looks for, whatever its bound."""
    phases = Phases()
    for step, total in ((0, 32), (1, 32), (0, 4), (3, 12)):
        line = phases.line(event("quantize", step, total))
        assert (line.name, line.done, line.total) == ("rounding", 0, None)


def test_a_phase_without_a_bound_has_no_bar():
    line = Phases().line(event("fit", 7, 0))
    assert (line.done, line.total) == (0, None)


def test_a_bar_does_not_start_anew_under_the_same_name():
    """Whatever comes, under one name neither the count falls nor its bound changes."""
    phases, last = Phases(), {}
    told = [
        *(event("fit", step) for step in range(4)),
        *(event("fit", step) for step in range(3)),  # anew
        *(event("fit", step, 20) for step in range(2, 6)),  # another bound
        *(event("fine-tune", step) for step in range(3)),
        event("quantize", 3),
        *(event("fit", step, 20) for step in range(7, 9)),  # in between was something else
        *(event("fit", step, task="try 1") for step in range(4)),
        *(event("fit", step, task="try 2") for step in range(4)),
    ]
    for each in told:
        line = phases.line(each)
        done, total = last.get(line.name, (0, line.total))
        assert line.done >= done
        assert line.total == total
        last[line.name] = line.done, line.total
    assert list(last) == [
        "fitting",
        "fitting, part 2",
        "fitting, part 3",
        "fine-tuning",
        "rounding",
        "fitting, part 4",
        "try 1: fitting",
        "try 2: fitting",
    ]
