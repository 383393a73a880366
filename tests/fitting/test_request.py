import math
import time
from dataclasses import replace

import pytest

from nfcodec.fields.table.field import Table
from nfcodec.fitting.goals import Lossless, Psnr, Size
from nfcodec.fitting.plans import Plan, Stage
from nfcodec.fitting.problem import Trial
from nfcodec.fitting.request import Request, Solution, each_message_once

PLAN = Plan(Table(), None, 3, (Stage("fit", 60.0, 10), Stage("quantize", 20.0), Stage("write", 5.0)), 1e9)


def test_whoever_listens_hears_of_the_plan():
    events = []
    request = Request(Psnr(36.0), 5, 0, listen=events.append, task="try 2")
    request.announce(PLAN, "soon")
    request.announce(PLAN)
    request.note("hello")
    assert [(event.plan, event.message, event.task) for event in events] == [
        (PLAN, "soon", "try 2"), (PLAN, "", "try 2"), (None, "hello", "try 2")
    ]  # fmt: skip


def test_a_fit_leaves_the_time_to_round_and_to_write():
    request = Request(Psnr(36.0), 5, 0, deadline=1000.0).within(PLAN)
    assert (request.effort, request.deadline, request.steps_deadline) == (3, 995.0, 975.0)
    now = time.monotonic()
    late = replace(request, deadline=now + 10)
    assert (late.expired(), late.steps_expired()) == (False, True)
    assert replace(late, deadline=now - 1).expired()
    endless = Request(Psnr(36.0), 5, 0).within(PLAN)
    assert not endless.expired()
    assert not endless.steps_expired()


def test_only_a_psnr_is_a_psnr():
    request = Request(Psnr(36.0), 5, 0)
    assert (request.psnr_db, request.at(30.0).psnr_db) == (36.0, 30.0)
    for goal in (Size(100), Lossless()):
        with pytest.raises(TypeError):
            _ = replace(request, goal=goal).psnr_db
    assert [str(goal) for goal in (Psnr(40), Size(9), Lossless())] == ["40 dB", "9 bytes", "no loss"]


def test_events_name_the_task():
    events = []
    request = Request(Psnr(36.0), 5, 0, listen=events.append)
    trial = request.at(30.0, "try 2")
    for each in (request, trial, trial.at(20.0), trial.at(20.0, "try 3")):
        each.clock("fit").tell(1, 2, 30.0)
        each.note("hello")
    assert [event.task for event in events] == ["", "", "try 2", "try 2", "try 2", "try 2", "try 3", "try 3"]


def test_clocks_and_notes_of_other_goals_have_no_target():
    events = []
    request = Request(Size(100), 5, 0, listen=events.append)
    request.note("hello")
    request.clock("fit").tell(1, 2, 30.0)
    assert [event.message for event in events] == ["hello", ""]
    assert all(math.isnan(event.target_psnr_db) for event in events)


def test_messages_are_told_once():
    """The events that would repeat one are heard all the same."""
    events = []
    request = Request(Size(100), 5, 0, listen=each_message_once(events.append))
    for step, message in enumerate(["hello", "", "hello", "again", "hello", ""]):
        request.clock("fit").tell(step, 9, 30.0, message)
    assert [event.message for event in events] == ["hello", "", "", "again", "", ""]
    assert [event.step for event in events] == [0, 1, 2, 3, 4, 5]


def test_where_the_weights_come_from(make_problem):
    problem = make_problem(Table())
    trial = Trial({}, problem.samples, 30.0)
    solved = Solution.closed_form(problem, trial, 1.0)
    assert (solved.stepped, solved.steps) == (False, 0)
    in_vain = Solution.closed_form(problem, trial, 1.0, steps=9)
    assert (in_vain.stepped, in_vain.steps) == (False, 9)
    assert Solution(problem, trial, 9, 9, 1.0, "numba", "cpu").stepped
