"""Iterations of a fit of grids: soft rounding with noise, gradients, Adam on latents, SOAP beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nfcodec.exact.field import Parameters
from nfcodec.fields.grid.program import Measured, Program
from nfcodec.fields.grid.soap import Soap, parts
from nfcodec.kernels.arguments import Floats
from nfcodec.workers import single_threaded_blas

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
        program: of the field; it computes errors, bits and gradients. Descents that take turns may share one.
        parameters: where it begins; `latents` before the gain.
        gain: networks see latents times it.
        seed: of the noise.

    Attributes:
        networks: all tensors but `latents`; they change with each iteration.
    """

    def __init__(self, program: Program, parameters: Parameters, gain: float, seed: int = 0) -> None:
        self.program, self._gain = program, np.float32(gain)
        self._parts = parts(program.field, program.geometry.channels)
        self._latents = program.latents(np.asarray(parameters["latents"], np.float32).reshape(-1), gain, seed)
        self.networks = {name: np.array(each, np.float32) for name, each in parameters.items() if name != "latents"}
        self.restart()

    @property
    def latents(self) -> Floats:
        """(n_entries,), before the gain; to be read only."""
        return self._latents.values

    def restart(self) -> None:
        """Forget what optimisers know of earlier gradients."""
        self._soap = Soap(self._parts)
        self._latents.restart()

    def set_networks(self, networks: Parameters) -> None:
        """Go on with other networks."""
        for name, each in self.networks.items():
            each[:] = networks[name]

    def state(self) -> Parameters:
        """A copy of what changes with iterations, for `restore`."""
        return {"latents": self.latents.copy(), **{name: each.copy() for name, each in self.networks.items()}}

    def restore(self, state: Parameters) -> None:
        """Go back to a state, and forget what optimisers know."""
        self._latents.restore(state["latents"])
        self.set_networks(state)
        self.restart()

    def rounded(self) -> Floats:
        """The latents as a file holds them: (n_entries,), integers."""
        return np.floor(self.latents * self._gain + np.float32(0.5))

    def step(self, how: Iteration) -> Measured:
        """One iteration; returns what it found before it moved."""
        if how.temperature:
            self._latents.soften(how.temperature, how.noise)
        else:
            self._latents.harden()
        found, gradients = self.program.differentiate(self.networks, how.rate_weight)
        if how.network_rate:
            self._improve(gradients, how)
        if how.temperature:
            self._latents.move(how.latent_rate, how.latent_betas)
        return found

    def evaluate(self, picture: Floats | None = None) -> Measured:
        """Of rounded latents; `picture`, contiguous, (C, H, W) float32, becomes the samples."""
        self._latents.harden()
        return self.program.measure(self.networks, picture)

    def _improve(self, gradients: Parameters, how: Iteration) -> None:
        norm = float(sum(np.square(each, dtype=np.float64).sum() for each in gradients.values())) ** 0.5
        factor = np.float32(min(1, LARGEST_NORM / (norm + 1e-6)))
        scaled = {name: each * factor for name, each in gradients.items()}
        with single_threaded_blas():
            self._soap.step(self.networks, scaled, how.network_rate, how.renewed)
        self._revive(gradients["out"])

    def _revive(self, slopes: Floats) -> None:
        """Turn rectified neurons that no pixel sees, so that all see them; what reads them begins at 0.

        Without this 3 to 13 of 48 never take part.

        Args:
            slopes: of what reads them, (C, n_hidden): exactly 0 for a neuron that is 0 everywhere.
        """
        (dead,) = np.nonzero(np.abs(slopes).max(axis=0) == 0)
        self.networks["synthesis"][dead] *= -1
        self.networks["synthesis_bias"][dead] = 0
        self.networks["out"][:, dead] = 0
