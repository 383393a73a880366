"""What lies in a folder as classes, one a file: a new one is known by being there."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import TypeVar

from nfcodec.errors import UsageError

T = TypeVar("T")


def names(package: ModuleType) -> list[str]:
    """What the command line calls the classes of a package: the names of their files, with - for _."""
    return sorted(each.name.replace("_", "-") for each in pkgutil.iter_modules(package.__path__))


def named(package: ModuleType, name: str, base: type[T]) -> type[T]:
    """The class that a file of a package defines.

    Args:
        name: of the file, as `names` gives it.
        base: what the class derives from.

    Raises:
        UsageError: there is no such file.
        TypeError: the file defines no such class, or several.
    """
    if name not in names(package):
        kind, known = base.__name__.lower(), ", ".join(names(package))
        raise UsageError(f"there is no {kind} {name!r} in plain PyTorch, but {known}")
    module = import_module(f"{package.__name__}.{name.replace('-', '_')}")
    found = [
        each for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, base) and each.__module__ == module.__name__
    ]  # fmt: skip
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define one {base.__name__}, and defines {len(found)}")
    return found[0]
