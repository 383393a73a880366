"""What a fit of grids asks of an engine: a pass over all grids and samples and back, and latents that move."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.kernels.arguments import Floats

EPS = 1e-12
"""Of Adam, which moves latents."""

LARGEST_LOG_SCALE, SMALLEST_LOG_SCALE = 7.0, -7.0
"""Bits are those of Laplace distributions with scales of 2^-7 to 2^7 symbols."""

LEAST_PROBABILITY = 2.0**-16
"""No symbol takes more bits than this says, so that slopes stay bounded."""


@dataclass(frozen=True)
class Measured:
    """Of a pass over all grids and samples.

    Attributes:
        error: mean over samples of weight * (sample - target)^2.
        grid_bits: of each grid, in the order of `Grid.lattices`.
    """

    error: float
    grid_bits: tuple[float, ...]

    @property
    def bits(self) -> float:
        """Of all grids."""
        return sum(self.grid_bits)


class Latents(ABC):
    """Real latents of all grids, before the gain, and what Adam knows of their slopes.

    Each has a program, whose networks see them as `harden` or `soften` last left them.

    Attributes:
        values: (n_entries,); a copy where they are held elsewhere.
    """

    @property
    @abstractmethod
    def values(self) -> Floats: ...

    @abstractmethod
    def restore(self, values: Floats) -> None:
        """Set them, and forget earlier slopes."""

    @abstractmethod
    def restart(self) -> None:
        """Forget earlier slopes."""

    @abstractmethod
    def harden(self) -> None:
        """Let the program see them times the gain, rounded."""

    @abstractmethod
    def soften(self, temperature: float, noise: float) -> None:
        """Let the program see them times the gain, softly rounded, with noise, softly rounded again.

        Args:
            noise: its standard deviation.
        """

    @abstractmethod
    def move(self, rate: float, betas: tuple[float, float]) -> None:
        """A step of Adam by the slopes that the program has just found for softened latents."""


class Program(ABC):
    """A pass over all grids and samples, and back.

    Attributes:
        engine: the name of the engine whose program this is.
        device: where it runs, "cpu" or a CUDA device.
        lattices: of the field, in the order of the entries.
    """

    engine: ClassVar[str]

    def __init__(self, field: Grid, geometry: Geometry, device: str = "cpu") -> None:
        self.field, self.geometry, self.device = field, geometry, device
        self.lattices = field.lattices(geometry)

    @classmethod
    @abstractmethod
    def require(cls, device: str) -> None:
        """Raise EngineError if there is no such device, "auto" being any."""

    @classmethod
    @abstractmethod
    def of(cls, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, device: str) -> Program:
        """A program for a request's device, "auto" for any.

        Args:
            target: (C, H, W) float32; weights: of squared errors, as the target, or None for ones.

        Raises:
            EngineError: there is no such device.
        """

    @property
    def n_pixels(self) -> int:
        """Of the picture."""
        return self.geometry.n_pixels

    @abstractmethod
    def latents(self, values: Floats, gain: float, seed: int) -> Latents:
        """Latents that begin at these values, (n_entries,).

        Args:
            gain: networks see latents times it.
            seed: of the noise.
        """

    @abstractmethod
    def see(self, entries: Floats) -> None:
        """Let networks see these entries, (n_entries,) float32."""

    @abstractmethod
    def measure(self, tensors: Parameters, picture: Floats | None = None) -> Measured:
        """Error and bits, without gradients; `picture`, contiguous, (C, H, W) float32, becomes the samples."""

    @abstractmethod
    def differentiate(self, tensors: Parameters, rate_weight: float) -> tuple[Measured, Parameters]:
        """And the gradients of error + rate_weight * bits / n_pixels by networks' tensors; see also `entry_slopes`."""

    @abstractmethod
    def entry_slopes(self) -> Floats:
        """Slopes of the loss by entries as the networks see them, (n_entries,), after `differentiate`."""
