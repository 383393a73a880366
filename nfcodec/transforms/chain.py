"""Chains of transforms: their text, their bytes, the order of pixels and the map of values that they amount to.

    chain = Chain.prepare(parse_chain("standardize+rpp"), samples, seed=0)      # encoder
    chain, offset = Chain.unpack(buffer, offset, channels)                      # decoder
    order = chain.order(height, width, planes)
    value_map = chain.value_map(depth, channels, fraction_bits)

Permutations and value maps commute, so a chain is just a chain of the ones beside a chain of the others. Key planes
always hold intensities of the integer source samples, whatever value maps come before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nfcodec import arguments
from nfcodec.errors import FormatError, UsageError
from nfcodec.limits import Cost
from nfcodec.raster import Samples
from nfcodec.transforms.base import NONE, Permutation, Pointwise, Transform, by_name, by_wire_id
from nfcodec.transforms.curves import FloatArray
from nfcodec.transforms.orders import Int64Array
from nfcodec.transforms.permute import RandomPermutation, intensities
from nfcodec.transforms.real_map import RealMap
from nfcodec.transforms.value_map import ValueMap, compile_value_map

if TYPE_CHECKING:
    from typing_extensions import Self

MAX_TRANSFORMS = 8

ORDER, ORDER_BYTES = 0.18e-6, 40
"""Work of a pixel in each permutation, and its memory."""


@dataclass(frozen=True)
class Spec:
    """One transform as the user asked for it; `parameter` as `Transform.parse` gave it."""

    name: str
    parameter: int | None


def parse_chain(text: str) -> tuple[Spec, ...]:
    """Read transforms joined by `+`, each with an optional `:parameter`. Parts that are `none` count for nothing.

    Raises:
        UsageError: no text, an unknown name (the message lists the known ones), a bad parameter, or over 8 transforms.
    """
    arguments.text("transform", text, "the text of a chain, such as 'none' or 'standardize+rpp'")
    parts = [part for part in text.split("+") if part != NONE]
    if len(parts) > MAX_TRANSFORMS:
        raise UsageError(f"a chain has at most {MAX_TRANSFORMS} transforms, not {len(parts)}")
    return tuple(map(_parse_part, parts))


def parse_permutations(text: str) -> tuple[type[Permutation], ...]:
    """Which kinds of permutations the text of a chain names, from left to right. Raises UsageError as `parse_chain`."""
    kinds = (by_name(spec.name) for spec in parse_chain(text))
    return tuple(kind for kind in kinds if issubclass(kind, Permutation))


def left_shuffled(permutations: Sequence[type[Permutation]]) -> tuple[type[Permutation], ...]:
    """Those of a chain's permutations whose random order is still there at its end.

    One that depends on the picture, so that the file holds its key plane, makes an order of its own.
    """
    begin = max((i for i, each in enumerate(permutations, 1) if each.n_planes), default=0)
    return tuple(each for each in permutations[begin:] if each.shuffles)


def _parse_part(part: str) -> Spec:
    name, colon, value = part.partition(":")
    if name == NONE:
        raise UsageError(f"{NONE!r} takes no parameter, but got {value!r}")
    return Spec(name, by_name(name).parse(value if colon else None))


@dataclass(frozen=True)
class Chain:
    """Transforms with all their parameters, applied from left to right.

    Attributes:
        transforms: the transforms.
        planes: encoder only: the (H, W) key planes, one for each permutation that has one.
    """

    transforms: tuple[Transform, ...] = ()
    planes: list[Samples] = field(default_factory=list[Samples], compare=False, repr=False)

    @classmethod
    def prepare(cls, specs: Sequence[Spec], samples: Samples, seed: int = 0) -> Self:
        """Fix all parameters for source samples (H, W, C), uint8 or uint16.

        Raises:
            UsageError: the seed is not in 0 .. 2^64 - 1 (if it is used), or there are over 8 transforms.
        """
        if len(specs) > MAX_TRANSFORMS:
            raise UsageError(f"a chain has at most {MAX_TRANSFORMS} transforms, not {len(specs)}")
        transforms = tuple(by_name(spec.name).prepare(spec.parameter, samples, seed) for spec in specs)
        return cls(transforms, _key_planes(transforms, samples))

    def pack(self) -> bytes:
        """Count u8, then for each transform its wire id u8 and its parameters. Key planes are not included."""
        parts = (bytes([transform.wire_id]) + transform.pack() for transform in self.transforms)
        return bytes([len(self.transforms)]) + b"".join(parts)

    @classmethod
    def unpack(cls, buffer: bytes, offset: int, channels: int) -> tuple[Self, int]:
        """Read a chain for an image of 1 or 3 channels at `offset`; also return the offset after it.

        Raises:
            FormatError: the buffer ends too early, or a count or parameter is out of range.
            UnsupportedError: a transform is unknown.
        """
        n_transforms, offset = _take(buffer, offset, 1)
        if n_transforms[0] > MAX_TRANSFORMS:
            raise FormatError(f"a chain has at most {MAX_TRANSFORMS} transforms, not {n_transforms[0]}", code="chain")
        transforms: list[Transform] = []
        for _ in range(n_transforms[0]):
            wire_id, offset = _take(buffer, offset, 1)
            transform = by_wire_id(wire_id[0])
            payload, offset = _take(buffer, offset, transform.packed_size(channels))
            transforms.append(transform.unpack(payload))
        return cls(tuple(transforms)), offset

    def __str__(self) -> str:
        """The canonical text; `parse_chain` reads it."""
        return "+".join(transform.text for transform in self.transforms) or "none"

    def order(self, height: int, width: int, planes: Sequence[Samples]) -> Int64Array | None:
        """The composed order: `moved.reshape(n, C)[i] = source.reshape(n, C)[order[i]]`; None if nothing moves.

        Args:
            height, width: of the image, n = H * W pixels.
            planes: the key planes (H, W), as many as `n_planes`.

        Raises:
            UsageError: the number or a shape of the planes is wrong.
        """
        if len(planes) != self.n_planes or any(plane.shape != (height, width) for plane in planes):
            raise UsageError(f"the chain needs {self.n_planes} key planes of {height} x {width}")
        total, remaining = None, iter(planes)
        for permutation in self.permutations:
            order = permutation.order(height, width, next(remaining) if permutation.n_planes else None)
            total = order if total is None else total[order]
        return total

    def order_cost(self, n_pixels: int) -> Cost:
        """What `order` takes at most, the planes not counted; the order is kept."""
        n = len(self.permutations)
        return Cost(ORDER_BYTES * n_pixels, n * ORDER * n_pixels, 8 * n_pixels) if n else Cost()

    def value_map(self, depth: int, channels: int, fraction_bits: int) -> ValueMap:
        """Compile the chain's value transforms (the identity if there are none).

        Args:
            depth: bits a sample, 8 or 16.
            channels: colour channels, 1 or 3.
            fraction_bits: the field's outputs are in units of 2^-fraction_bits; 0 .. 36.

        Raises:
            UsageError: an argument is out of range, or the chain is for another number of channels.
            LimitError: the transforms cancel each other so closely that exact tables would take seconds.
        """
        maps = self.pointwise
        if channels < 1 or any(transform.channels not in (None, channels) for transform in maps):
            raise UsageError(f"the chain is not for {channels} channels")
        sign = -1 if sum(transform.decreasing for transform in maps) % 2 else 1
        curves = [[step for each in maps for step in each.steps(channel)] for channel in range(channels)]
        return compile_value_map(curves, sign, depth, fraction_bits)

    def real_map(self, values: FloatArray) -> RealMap:
        """The chain's value transforms for a picture of real numbers (n,), of one channel.

        What they measure is measured in these numbers, wherever in the chain a transform stands.
        """
        return RealMap.of([step for each in self.pointwise for step in each.measured(values).steps(0)], values)

    @property
    def permutations(self) -> tuple[Permutation, ...]:
        """The transforms that move pixels."""
        return tuple(transform for transform in self.transforms if isinstance(transform, Permutation))

    @property
    def pointwise(self) -> tuple[Pointwise, ...]:
        """The transforms that change values."""
        return tuple(transform for transform in self.transforms if isinstance(transform, Pointwise))

    @property
    def permutes(self) -> bool:
        """Whether any pixel may move."""
        return bool(self.permutations)

    @property
    def n_planes(self) -> int:
        """Key planes that `order` needs."""
        return sum(permutation.n_planes for permutation in self.permutations)

    @property
    def seed(self) -> int | None:
        """The seed of the first rpp."""
        return next((each.seed for each in self.transforms if isinstance(each, RandomPermutation)), None)


def _take(buffer: bytes, offset: int, size: int) -> tuple[bytes, int]:
    if not 0 <= offset <= len(buffer) - size:
        raise FormatError("the transform chain is cut short", code="truncated")
    return bytes(buffer[offset : offset + size]), offset + size


def _key_planes(transforms: Sequence[Transform], samples: Samples) -> list[Samples]:
    """The intensities of the pixels as each permutation with a key plane finds them."""
    permutations = [transform for transform in transforms if isinstance(transform, Permutation)]
    planes: list[Samples] = []
    if not any(permutation.n_planes for permutation in permutations):
        return planes
    height, width = samples.shape[:2]
    plane = intensities(samples)
    for permutation in permutations:
        if permutation.n_planes:
            planes.append(plane)
        order = permutation.order(height, width, plane if permutation.n_planes else None)
        plane = plane.reshape(-1)[order].reshape(height, width)
    return planes
