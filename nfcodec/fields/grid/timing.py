"""How long the parts of an iteration of a fit of grids take."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from nfcodec.fields.grid.descent import Descent, Iteration

TASKS = {
    "_entropy": {
        "map_tasks": "maps of coarser grids",
        "rate_tasks": "entropy model, there and back",
        "map_back_tasks": "maps, back",
    },
    "_upsampling": {
        "coarse_tasks": "upsampling to half the size",
        "fine_back_tasks": "upsampling to the whole size, back",
        "finest_back_tasks": "smoothing of the finest grid, back",
        "coarse_back_tasks": "upsampling to half the size, back",
    },
    "_synthesis": {
        "go_on_tasks": "first 3 x 3 layer",
        "compare_tasks": "second 3 x 3 layer, error",
        "last_back_tasks": "second 3 x 3 layer, back",
        "first_back_tasks": "first 3 x 3 and hidden layer, back",
    },
}
"""Of a program's parts: methods that make tasks, and what the tasks do."""

CALLS = {
    "_upsampling": {"finish": "upsampling to the whole size"},
    "_synthesis": {"begin": "hidden layer"},
}
"""Of a program's parts: methods that do something themselves."""

STEPS = {"_latents": {"soften": "soft rounding, noise", "move": "Adam"}, "_soap": {"step": "SOAP"}}
"""The same of the descent."""


def part_seconds(descent: Descent, how: Iteration, n: int) -> dict[str, list[float]]:
    """Seconds of each part in each of n iterations, those of all threads together; the descent goes on by as many.

    Args:
        how: with soft rounding, so that all parts are there.
    """
    spent: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[float]] = defaultdict(list)
    changed = _watch(descent, spent)
    try:
        for _ in range(n):
            spent.clear()
            descent.step(how)
            for name, seconds in spent.items():
                found[name].append(sum(seconds))
    finally:
        for owner, method in changed:
            delattr(owner, method)
    return dict(found)


def _watch(descent: Descent, spent: dict[str, list[float]]) -> list[tuple[object, str]]:
    """Let methods say how long they take; returns what hides them, attributes of the objects by their names."""
    program, changed = descent.program, list[tuple[object, str]]()

    def hide(owner: object, method: str, wrapped: Callable[..., Any]) -> None:
        setattr(owner, method, wrapped)
        changed.append((owner, method))

    for part, methods in TASKS.items():
        for method, name in methods.items():
            owner = getattr(program, part)
            hide(owner, method, partial(_make_timed, getattr(owner, method), spent, name))
    for whole, calls in ((program, CALLS), (descent, STEPS)):
        for part, methods in calls.items():
            owner = getattr(whole, part)
            for method, name in methods.items():
                hide(owner, method, _timed(getattr(owner, method), spent, name))
    return changed


def _timed(function: Callable[..., Any], spent: dict[str, list[float]], name: str) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        began = time.perf_counter()
        found = function(*arguments)
        spent[name].append(time.perf_counter() - began)
        return found

    return call


def _make_timed(make: Callable[..., Any], spent: dict[str, list[float]], name: str, *arguments: Any) -> Any:
    """What a method returns, a list of tasks, a tuple of lists or a dictionary, with each task timed."""

    def timed(tasks: Any) -> Any:
        if isinstance(tasks, tuple):
            return tuple(map(timed, cast("tuple[Any, ...]", tasks)))
        if isinstance(tasks, dict):
            return {key: timed(each) for key, each in cast("dict[Any, Any]", tasks).items()}
        if isinstance(tasks, list):
            return list(map(timed, cast("list[Any]", tasks)))
        return _timed(tasks, spent, name)

    return timed(make(*arguments))
