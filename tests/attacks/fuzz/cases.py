"""Inputs by number: each is a seed and a few mutations, all drawn from the number, so that any can be made again."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nfcodec.errors import NfcError

from . import files, pictures
from .files import Mutation
from .seeds import Seed

IMAGES = 0.2
"""The share of images among the inputs."""
MENDED = 0.35
"""The share of files whose digest is made right at the end."""


@dataclass(frozen=True)
class Case:
    """An input: a seed, the mutations with their random numbers, and whether the digest is mended."""

    seed: Seed
    steps: tuple[tuple[Mutation, int], ...]
    is_mended: bool
    others: tuple[bytes, ...]

    @property
    def name(self) -> str:
        return (
            "+".join([self.seed.name, *(mutation.__name__ for mutation, _ in self.steps)]) + "+mended" * self.is_mended
        )

    def data(self) -> bytes:
        """The bytes; mutations that find nothing to work on leave them."""
        data = self.seed.data
        for mutation, number in self.steps:
            data = files.mutated(mutation, number, data, self.others)
        if self.is_mended:
            with contextlib.suppress(NfcError):
                data = files.mended(data)
        return data

    def smaller(self) -> list[Case]:
        """The same without one of the mutations."""
        rest = [self.steps[:i] + self.steps[i + 1 :] for i in range(len(self.steps))]
        return [replace(self, steps=steps) for steps in rest]


def case(seeds: Sequence[Seed], run: int, number: int) -> Case:
    """Input `number` of the run with this seed."""
    rng = random.Random(f"{run}:{number}")
    is_nfc = rng.random() >= IMAGES
    alike = [seed for seed in seeds if seed.is_nfc == is_nfc]
    seed = rng.choice(alike)
    possible = files.MUTATIONS if is_nfc else pictures.mutations_of(seed.data)
    chosen = rng.choices(list(possible), list(possible.values()), k=rng.choice((1, 1, 1, 2, 2, 3, 5)))
    steps = tuple((mutation, rng.randrange(1 << 62)) for mutation in chosen)
    others = tuple(other.data for other in rng.sample(alike, 3))
    return Case(seed, steps, is_nfc and rng.random() < MENDED, others)
