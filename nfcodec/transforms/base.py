"""What a transform is, and the registry of all transforms.

There are two kinds, and they commute: a *permutation* moves pixels (all channels together), a *value map* changes
sample values (each on its own). A new transform is one class and one registration:

    @register("flip", wire_id=3)
    @dataclass(frozen=True)
    class Flip(Permutation): ...

Life of a transform: `parse` checks the text after the colon; `prepare` fixes every parameter that depends on the image
or the seed; `pack` and `unpack` carry the parameters through a file. The first line of the class's docstring says to
users what the transform does: `nfcodec encode --help` prints it. Names and wire ids are frozen: they are never changed
and never used again. Wire ids 1 to 15 are for permutations, 16 to 31 for value maps, by custom; those from
200 on are for experiments, and no released encoder writes them.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeVar

from nfcodec.errors import FormatError, UnsupportedError, UsageError
from nfcodec.raster import Samples
from nfcodec.transforms.curves import FloatArray, Step
from nfcodec.transforms.orders import Int64Array

if TYPE_CHECKING:
    from typing_extensions import Self


class Transform(ABC):
    """One transform with all its parameters. Subclasses are frozen dataclasses.

    One without parameters need not override any of the methods here.
    """

    name: ClassVar[str]
    wire_id: ClassVar[int]

    @classmethod
    def usage(cls) -> tuple[str, str]:
        """How the transform is written in a chain, and in one line what it does and which parameters it takes."""
        return cls.name, (cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def parse(cls, text: str | None) -> int | None:
        """The parameter that the user wrote after the colon (None if nothing) as an integer, or None if not needed.

        Raises:
            UsageError: the text is no valid parameter of this transform.
        """
        if text is not None:
            raise UsageError(f"the transform {cls.name!r} takes no parameter, but got {text!r}")
        return None

    @classmethod
    def prepare(cls, parameter: int | None, samples: Samples, seed: int) -> Self:
        """An instance for one image: `parameter` from `parse`, source samples (H, W, C), the encoder's seed."""
        return cls()

    @classmethod
    def packed_size(cls, channels: int) -> int:
        """Bytes that `pack` gives for an image with so many channels."""
        return 0

    def pack(self) -> bytes:
        """The parameters as they are stored, little-endian."""
        return b""

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """The inverse of `pack`.

        Raises:
            FormatError: the length or a value is wrong.
        """
        check_size(payload, 0)
        return cls()

    @property
    def text(self) -> str:
        """The canonical way to write this transform in a chain."""
        return self.name


class Permutation(Transform):
    """Moves pixels.

    Attributes:
        n_planes: 1 if it needs a key plane, which the codec stores without loss; else 0.
        shuffles: whether it is a random order of all pixels, which has nothing to do with the picture. What is left of
            a picture is then the colours of its pixels, without any order.
    """

    n_planes: ClassVar[int] = 0
    shuffles: ClassVar[bool] = False

    @abstractmethod
    def order(self, height: int, width: int, plane: Samples | None) -> Int64Array:
        """The order (H * W,) int64 with `moved[i] = source[order[i]]` over pixels in raster order.

        `plane` is the (H, W) key plane, the intensities of the pixels before this permutation, if `n_planes` is 1.
        """


class Pointwise(Transform):
    """Maps each sample z = k / peak in [0, 1] to a value to fit, by a monotone curve on the real numbers."""

    decreasing: ClassVar[bool] = False

    @abstractmethod
    def steps(self, channel: int) -> tuple[Step, ...]:
        """The curve for one channel, as steps one after the other."""

    def measured(self, values: FloatArray) -> Self:
        """This transform for a picture of real numbers (n,), of one channel, in place of the one it was prepared for.

        Only experiments fit real numbers (see `RealMap`). A transform that measures nothing in the picture is the same
        for all; one that does measures these numbers and keeps what it finds in the units of its parameters, but does
        not round it, so that the result cannot be packed.
        """
        return self

    @property
    def channels(self) -> int | None:
        """The number of channels that the parameters are for; None if for any number."""
        return None


_BY_NAME: dict[str, type[Transform]] = {}
_BY_WIRE_ID: dict[int, type[Transform]] = {}

T = TypeVar("T", bound=Transform)

NONE = "none"
"""What stands in a chain for no transform."""


def register(name: str, wire_id: int) -> Callable[[type[T]], type[T]]:
    """Class decorator that gives a transform its name and wire id (1 .. 255).

    Raises:
        ValueError: the name or the id is malformed or taken.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or name == NONE or not 1 <= wire_id <= 255:
        raise ValueError(f"not a valid transform name and wire id: {name!r}, {wire_id}")
    if name in _BY_NAME or wire_id in _BY_WIRE_ID:
        raise ValueError(f"the transform name {name!r} or the wire id {wire_id} is taken")

    def decorate(cls: type[T]) -> type[T]:
        cls.name, cls.wire_id = name, wire_id
        _BY_NAME[name] = _BY_WIRE_ID[wire_id] = cls
        return cls

    return decorate


def usages() -> dict[str, str]:
    """All transforms for people: how each is written in a chain, and what it does."""
    return dict(cls.usage() for cls in _BY_NAME.values())


def registered() -> dict[str, int]:
    """All transforms: name to wire id."""
    return {name: cls.wire_id for name, cls in _BY_NAME.items()}


def by_name(name: str) -> type[Transform]:
    """The class of a transform; UsageError, with a list of the known names, if there is none."""
    if name not in _BY_NAME:
        raise UsageError(f"unknown transform {name!r}; there are: {', '.join([NONE, *_BY_NAME])}")
    return _BY_NAME[name]


def by_wire_id(wire_id: int) -> type[Transform]:
    """The class of a transform; UnsupportedError if there is none."""
    if wire_id not in _BY_WIRE_ID:
        raise UnsupportedError(f"unknown transform id {wire_id}", code="transform")
    return _BY_WIRE_ID[wire_id]


def check_size(payload: bytes, *sizes: int) -> None:
    """Raise FormatError unless the payload has one of the sizes."""
    if len(payload) not in sizes:
        raise FormatError(
            f"a transform's parameters have {len(payload)} bytes, not {' or '.join(map(str, sizes))}", code="chain"
        )
