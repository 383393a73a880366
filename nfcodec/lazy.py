"""Names as text, imported when asked for: whoever does without a part of the package does not wait for it to load."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def load(path: str) -> Any:
    """What "module:attribute" names, or "module" by itself. Raises ImportError, also if there is no such attribute."""
    module, _, attribute = path.partition(":")
    found = importlib.import_module(module)
    try:
        return getattr(found, attribute) if attribute else found
    except AttributeError as error:
        raise ImportError(f"{module} has no {attribute}") from error


def exports(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package whose public names are loaded when they are asked for.

    Args:
        package: its name.
        places: the module of each name; "module:attribute" where it has another name there, and "module:" for a
            module itself.
    """

    def attribute_of(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        place = places[name]
        return load(place if ":" in place else f"{place}:{name}")

    return attribute_of


def listing(package: str) -> Callable[[], list[str]]:
    """The `__dir__` of such a package: what it has loaded, and all public names, for those who look or complete."""
    return lambda: sorted({*vars(sys.modules[package]), *sys.modules[package].__all__})
