import math

import pytest

from nfcodec.fitting.search import LEAST_SHARE, Bracket, Tried


def test_a_bracket_keeps_the_nearest_ends():
    bracket = Bracket()
    assert bracket.width == math.inf
    for x, reached in ((1.0, True), (9.0, False), (0.5, True), (7.0, False), (8.0, False), (2.0, True)):
        bracket.add(x, -x, reached=reached)
    assert (bracket.enough, bracket.beyond) == (Tried(2.0, -2.0), Tried(7.0, -7.0))
    assert bracket.width == 5.0
    assert bracket.halfway() == 4.5
    assert [bracket.holds(x) for x in (2.0, 2.1, 6.9, 7.0)] == [False, True, True, False]


@pytest.mark.parametrize("goal", [-3.0, -5.5])
def test_a_secant_meets_the_goal_of_a_line(goal):
    assert Bracket(Tried(2.0, -2.0), Tried(7.0, -7.0)).secant(goal) == pytest.approx(-goal)


def test_a_secant_stays_well_inside():
    bracket = Bracket(Tried(0.0, 10.0), Tried(1.0, 0.0))
    assert bracket.secant(20.0) == LEAST_SHARE
    assert bracket.secant(-20.0) == 1 - LEAST_SHARE


@pytest.mark.parametrize("ends", [(Tried(0.0, math.inf), Tried(4.0, 1.0)), (Tried(0.0, 2.0), Tried(4.0, 2.0))])
def test_a_secant_without_a_line_is_the_middle(ends):
    assert Bracket(*ends).secant(1.5) == 2.0


def test_one_end_alone_holds_what_lies_beyond_it():
    bracket = Bracket(enough=Tried(3.0, 1.0))
    assert bracket.holds(1e9)
    assert not bracket.holds(3.0)
