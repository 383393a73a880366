"""Names as text, imported when asked for: whoever does without a part of the package does not wait for it to load."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def load(path: str) -> Any:
    """What "module:attribute" names. Raises ImportError, also where there is no such attribute."""
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"{module} has no {attribute}") from error


def exports(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose public names are loaded when they are asked for.

    Args:
        package: its name.
        places: the module of each name; "module:attribute" where it has another name there.
    """

    def attribute_of(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        place = places[name]
        return load(place if ":" in place else f"{place}:{name}")

    return attribute_of
