"""What callers give, checked: numbers become Python's own, and everything else ends in a UsageError that names it."""

from __future__ import annotations

import contextlib
import numbers
import os
import reprlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from nfcodec.errors import UsageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_PLAIN = (str, bytes, bool, float, type(None))
_SHOWN_BITS = 64
MAX_U64 = 2**64 - 1


def number(name: str, value: object, most: float, allowed: str) -> float:
    """A real number over 0, up to `most`, as a float; numpy's scalars are taken.

    Args:
        name: of the argument; allowed: its range in words. Both are for the message.

    Raises:
        UsageError: something else.
    """
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        with contextlib.suppress(OverflowError):  # a number that no float can hold
            found = float(value)
            if 0 < found <= most:
                return found
    raise _refusal(name, allowed, value)


def bound(name: str, value: object) -> float:
    """A number from 0 on, infinity included, that something may be at most; whole numbers stay int.

    Raises:
        UsageError: something else. Not a number is refused, too, as nothing is greater than that.
    """
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        with contextlib.suppress(OverflowError):  # a number that no float can hold
            found = int(value) if isinstance(value, numbers.Integral) else float(value)
            if found >= 0:
                return found
    raise _refusal(name, "a number from 0 on, or math.inf for no limit", value)


def whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """A whole number from `least` to `most` (None: as large as you like) as an int; numpy's scalars are taken.

    Raises:
        UsageError: something else, also 2.0, True and "2".
    """
    if not isinstance(value, bool) and isinstance(value, numbers.Integral):
        found = int(value)
        if least <= found and (most is None or found <= most):
            return found
    raise _refusal(name, f"a whole number {_range(least, most)}", value)


def set_whole(instance: object, name: str, least: int, most: int) -> None:
    """Let an attribute of a frozen dataclass be what `whole` makes of it. For `__post_init__`."""
    object.__setattr__(instance, name, whole(name, getattr(instance, name), least, most))


def items(name: str, value: object, fewest: int, most: int, allowed: str) -> tuple[object, ...]:
    """A list or another iterable of `fewest` to `most` things, as a tuple. Raises UsageError for something else.

    Args:
        allowed: which things, in words.
    """
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        found = tuple(cast("Iterable[object]", value))
        if fewest <= len(found) <= most:
            return found
        raise UsageError(f"{name} must hold {_count(fewest, most)} {allowed}, not {len(found)}")
    raise _refusal(name, f"{_count(fewest, most)} {allowed}", value)


def set_wholes(instance: object, name: str, n_values: tuple[int, int], least: int, most: int) -> None:
    """The same as `set_whole` for an attribute that holds some whole numbers: `n_values` says how few and how many."""
    found = items(name, getattr(instance, name), *n_values, f"whole numbers {_range(least, most)}")
    values = tuple(whole(f"{name}[{i}]", each, least, most) for i, each in enumerate(found))
    object.__setattr__(instance, name, values)


def flag(name: str, value: object) -> bool:
    """A truth value as a bool; numpy's are taken. Raises UsageError for something else, also 0 and 1."""
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise _refusal(name, "True or False", value)


def text(name: str, value: object, allowed: str) -> str:
    """A str as it is. Raises UsageError for something else."""
    if isinstance(value, str):
        return value
    raise _refusal(name, allowed, value)


def one_of(name: str, value: object, known: tuple[str, ...]) -> str:
    """One of a few words. Raises UsageError for something else."""
    if isinstance(value, str) and value in known:
        return value
    raise _refusal(name, f"one of {', '.join(known)}", value)


def instance_of(name: str, value: object, kind: type, allowed: str) -> None:
    """Raise UsageError unless a value is of a class."""
    if not isinstance(value, kind):
        raise _refusal(name, allowed, value)


def file_bytes(data: Buffer) -> bytes:
    """The bytes of an .nfc file, given as bytes or as anything that holds bytes: bytearray, memoryview, mmap.

    Raises:
        UsageError: something else, as a path: reading files is for `nfcodec.open` and `nfcodec.load`.
    """
    if isinstance(data, bytes):
        return data
    try:
        return bytes(memoryview(data))
    except (TypeError, ValueError) as error:
        raise _refusal("data", "the bytes of an .nfc file (nfcodec.open and nfcodec.load take a path)", data) from error


def function(name: str, value: object, allowed: str) -> None:
    """Raise UsageError unless a value can be called."""
    if not callable(value):
        raise _refusal(name, allowed, value)


def path(name: str, value: object) -> str:
    """A path as a str, given as one or as a path object. Raises UsageError for something else."""
    with contextlib.suppress(TypeError):
        found: str | bytes = os.fspath(cast("str | bytes | os.PathLike[Any]", value))
        if isinstance(found, str):
            return found
    raise _refusal(name, "a path, as str or pathlib.Path (nfcodec.decode takes the bytes of a file)", value)


def _range(least: int, most: int | None) -> str:
    if most is None:
        return f"of at least {least}"
    return f"from {least} to {'2^64 - 1' if most == MAX_U64 else most}"


def _count(fewest: int, most: int) -> str:
    return str(fewest) if fewest == most else f"{fewest} to {most}"


def _refusal(name: str, allowed: str, value: object) -> UsageError:
    return UsageError(f"{name} must be {allowed}, not {_shown(value)}")


def _shown(value: object) -> str:
    """A value for a message: itself where it is short, else what kind of thing it is."""
    if isinstance(value, _PLAIN):
        return reprlib.repr(value)
    if isinstance(value, numbers.Real) and (not isinstance(value, int) or value.bit_length() <= _SHOWN_BITS):
        return str(value)
    if isinstance(value, int):
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"a value of type {type(value).__name__}"
