"""What is shown while runs last."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from benchmarks.commands import _progress
from benchmarks.commands._progress import Show, in_words
from benchmarks.records.progress import SearchState, listening, tell


def test_without_a_terminal_long_searches_get_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    with Show(3) as show, listening(show.search):
        for step in range(101):
            clock[0] = 2.0 * step
            tell(SearchState("kodim02 standardize", "2^-8 23.0 dB", step, 1000))
        show.done("found")
    tell(SearchState("nobody listens", "", 0, 1))
    assert capsys.readouterr().err.splitlines() == [
        "kodim02 standardize: 2^-8 23.0 dB; step 30 of at most 1000, 32 min at most",
        "kodim02 standardize: 2^-8 23.0 dB; step 60 of at most 1000, 31 min at most",
        "kodim02 standardize: 2^-8 23.0 dB; step 90 of at most 1000, 30 min at most",
        "1/3 200 s, 7 min left: found",
    ]


def test_searches_side_by_side_have_a_line_each_and_the_time_of_their_present_race(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    with Show(2) as show:
        for i in range(62):
            clock[0] = 2.0 * i
            show.search(SearchState("one", "20.0 dB", i, 100))
            show.search(SearchState("two", "30.0 dB", i % 31, 100))
    assert capsys.readouterr().err.splitlines() == [
        "one: 20.0 dB; step 30 of at most 100, 2 min at most",
        "two: 30.0 dB; step 30 of at most 100, 2 min at most",
        "one: 20.0 dB; step 60 of at most 100, 80 s at most",
        "two: 30.0 dB; step 29 of at most 100, 2 min at most",
    ]


def test_on_a_terminal_there_are_bars(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(_progress.sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(_progress, "REDRAW_SECONDS", 0.0)
    with Show(2) as show:
        show.search(SearchState("kodim02 rpp", "2^-9 30.0 dB", 50, 100))
        show.search(SearchState("kodim02 rpp", "2^-9 31.0 dB", 51, 100))
        show.search(SearchState("kodim03 rpp", "2^-9 31.0 dB", 51, 100))
        show.done("[found]")
        show.search(SearchState("kodim03 rpp", "2^-9 32.0 dB", 52, 100))
        show.done("the last one")
    assert "[found]" in capsys.readouterr().err


def test_times_are_in_the_unit_that_suits() -> None:
    assert [in_words(seconds) for seconds in (5, 150, 9000)] == ["5 s", "2 min", "2.5 h"]
