"""What is made when it is asked for: modules that are named as text, and attributes that are computed.

Whoever does without a part of the package does not wait for it to load.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


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


class kept(Generic[Value]):
    """An attribute without arguments whose value is computed when it is first asked for, and kept in the object.

    It does what `functools.cached_property` does, without the lock that this has up to Python 3.11, one for all objects
    of a class: a process that is forked while another thread computes a value would wait for it for ever. Threads that
    ask for the first time at once may compute the value twice; one of the two is kept. Also for frozen dataclasses.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> kept[Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...

    def __get__(self, instance: object | None, owner: type) -> kept[Value] | Value:
        if instance is None:
            return self
        return vars(instance).setdefault(self._name, self._compute(instance))
