"""The networks of a field, each a problem of its own: a SIREN is one, a tiled SIREN has one a tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nfcodec.exact.geometry import Place
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import PAPER, Start, small_start
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fitting.problem import Problem, Trial


@dataclass(frozen=True)
class Network:
    """A SIREN and the rectangle of the lattice that it covers.

    Attributes:
        problem: to fit it.
        prefix: of its tensors' names in the whole field.
        place: rows and columns of the rectangle.
        start: of its weights.
    """

    problem: Problem
    prefix: str
    place: Place
    start: Start

    @property
    def siren(self) -> Siren:
        assert isinstance(self.problem.field, Siren)
        return self.problem.field

    @property
    def n_parameters(self) -> int:
        return self.siren.n_parameters(self.problem.geometry)


def networks_of(problem: Problem, start: Start = PAPER) -> list[Network]:
    """All networks of a `Siren` or a `TiledSiren`, in the order of the file.

    Args:
        start: of a `Siren`; tiles have one that suits their size.
    """
    field, lattice = problem.field, problem.geometry
    if isinstance(field, Siren):
        return [Network(problem, "", (slice(0, lattice.height), slice(0, lattice.width)), start)]
    assert isinstance(field, TiledSiren)
    return [
        Network(problem.part(tile.place, tile.siren), tile.prefix, tile.place, small_start(tile.geometry))
        for tile in field.tiles(lattice)
    ]


def joined(problem: Problem, networks: Sequence[Network], trials: Sequence[Trial]) -> Trial:
    """The trial of a whole field from those of its networks."""
    lattice = problem.geometry
    samples = np.empty_like(problem.samples).reshape(lattice.height, lattice.width, lattice.channels)
    for network, trial in zip(networks, trials, strict=True):
        samples[network.place] = trial.samples.reshape(samples[network.place].shape)
    weights = {
        network.prefix + name: weight
        for network, trial in zip(networks, trials, strict=True)
        for name, weight in trial.weights.items()
    }
    return problem.trial_with(weights, samples.reshape(problem.samples.shape))
