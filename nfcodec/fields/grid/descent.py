"""Iterations of a fit of grids in compiled loops: soft rounding with noise, gradients, Adam on latents, SOAP beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid import latent_kernels
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba import GridProgram, Measured
from nfcodec.fields.grid.soap import Soap, parts
from nfcodec.kernels.arguments import Floats
from nfcodec.workers import Workers

EPS = 1e-12
"""Of Adam."""

LARGEST_NORM = 0.03
"""Of the gradients of all networks' tensors together."""


@dataclass(frozen=True)
class Iteration:
    """How one iteration goes.

    Attributes:
        rate_weight: of bits a pixel, beside the error.
        temperature: of soft rounding; 0 for hard rounding, with which latents stay.
        noise: its standard deviation.
        latent_rate, network_rate: steps of Adam and of SOAP; networks stay where theirs is 0.
        latent_betas: decays of Adam's moments.
        renewed: iterations between two renewals of SOAP's bases.
    """

    rate_weight: float
    temperature: float
    noise: float
    latent_rate: float
    network_rate: float
    latent_betas: tuple[float, float] = (0.9, 0.999)
    renewed: int = 10


class Descent:
    """A field on its way.

    Args:
        target: (C, H, W) float32; weights: as the target, or none, for ones.
        parameters: where it begins; `latents` before the gain.
        gain: networks see latents times it.
        seed: of the noise.

    Attributes:
        latents: (n_entries,); networks: all other tensors. Both change with each iteration.
    """

    def __init__(
        self, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, parameters: Parameters,
        gain: float, workers: Workers, seed: int = 0,
    ) -> None:  # fmt: skip
        self.program = GridProgram(field, geometry, target, weights, workers)
        self._parts, self._gain = parts(field, geometry.channels), np.float32(gain)
        self.latents: Floats = np.array(parameters["latents"], np.float32).reshape(-1)
        self.networks = {name: np.array(each, np.float32) for name, each in parameters.items() if name != "latents"}
        self._rng = np.random.default_rng(seed)
        self._softened = np.zeros_like(self.latents)
        self.restart()

    def restart(self) -> None:
        """Forget what optimisers know of earlier gradients."""
        self.restart_networks()
        self._n = 0
        self._moments = np.zeros_like(self.latents), np.zeros_like(self.latents)

    def restart_networks(self) -> None:
        """Forget what SOAP knows."""
        self._soap = Soap(self._parts)

    def set_networks(self, networks: Parameters) -> None:
        """Go on with other networks."""
        for name, each in self.networks.items():
            each[:] = networks[name]

    def state(self) -> Parameters:
        """A copy of what changes with iterations, for `restore`."""
        return {"latents": self.latents.copy(), **{name: each.copy() for name, each in self.networks.items()}}

    def restore(self, state: Parameters) -> None:
        """Go back to a state, and forget what optimisers know."""
        self.latents[:] = state["latents"]
        self.set_networks(state)
        self.restart()

    def rounded(self) -> Floats:
        """The latents as a file holds them: (n_entries,), integers."""
        return np.floor(self.latents * self._gain + np.float32(0.5))

    def step(self, how: Iteration) -> Measured:
        """One iteration; returns what it found before it moved."""
        self._soften(how) if how.temperature else self._harden()
        found, gradients = self.program.differentiate(self.networks, how.rate_weight)
        if how.network_rate:
            self._improve(gradients, how)
        if how.temperature:
            self._move(how)
        return found

    def evaluate(self, picture: Floats | None = None) -> Measured:
        """Of rounded latents; `picture`, contiguous, (C, H, W) float32, becomes the samples."""
        self._harden()
        return self.program.measure(self.networks, picture)

    def _harden(self) -> None:
        seen, latents, gain = self.program.seen, self.latents, self._gain
        self.program.for_rows(lambda piece: latent_kernels.harden(*piece, latents, gain, seen))

    def _soften(self, how: Iteration) -> None:
        seen, latents, softened = self.program.seen, self.latents, self._softened
        key = np.uint32(self._rng.integers(1 << 32))
        kind = self._gain, np.float32(how.temperature), np.float32(how.noise), key
        self.program.for_rows(lambda piece: latent_kernels.soften(*piece, latents, kind, seen, softened))

    def _improve(self, gradients: Parameters, how: Iteration) -> None:
        norm = float(sum(np.square(each, dtype=np.float64).sum() for each in gradients.values())) ** 0.5
        factor = np.float32(min(1, LARGEST_NORM / (norm + 1e-6)))
        scaled = {name: each * factor for name, each in gradients.items()}
        self._soap.step(self.networks, scaled, how.network_rate, how.renewed)

    def _move(self, how: Iteration) -> None:
        self._n += 1
        beta_1, beta_2 = how.latent_betas
        corrections = 1 / (1 - beta_1**self._n), 1 / (1 - beta_2**self._n)
        kind = tuple(np.float32(x) for x in (how.latent_rate, beta_1, beta_2, *corrections, EPS))
        slopes, latents, softened, moments = self.program.slopes, self.latents, self._softened, self._moments
        self.program.for_rows(lambda piece: latent_kernels.move(*piece, latents, kind, slopes, softened, moments))
