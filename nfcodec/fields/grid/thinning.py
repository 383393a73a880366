"""Networks' integers nearer to 0, one by one, as long as a target is kept: for small pictures, where networks weigh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from nfcodec.exact.arithmetic import Quantized
from nfcodec.exact.field import Parameters
from nfcodec.fields.grid.normalised import Normalised
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.program import Program
from nfcodec.fields.grid.rounding import as_network, as_networks, parameter_bits
from nfcodec.fitting.problem import Weights

MOST_WORK = 2e7
"""Of a round: passes over all entries times pixels. Where it takes more, nothing is done."""

MOST_ROUNDS = 3

MOST_MISSES = 40
"""A round ends behind so many moves in a row that the error does not allow."""


@dataclass(frozen=True)
class _Move:
    """One integer of a tensor becomes another: what it adds to the error, and what it saves of all bits."""

    name: str
    place: int
    to: int
    added: float
    saved: float

    @property
    def worth(self) -> float:
        """Error for a bit, the least first; what takes error away is best of all."""
        return self.added / self.saved


def thinned(
    program: Program, weights: Weights, normalised: Normalised, allowed: float, expired: Callable[[], bool]
) -> Weights:
    """The weights with smaller integers in the networks: first those that save most bits for the error that they add.

    Args:
        allowed: the error that the rounded field may have at most, as `program` measures it.
        expired: whether it should end with what it has.
    """
    state = _State(program, weights, normalised)
    for _ in range(MOST_ROUNDS):
        if state.error > allowed or state.n_moves * program.n_pixels > MOST_WORK:
            break
        moves = [move for move in state.moves(expired) if move.saved > 0]
        moves.sort(key=lambda move: move.worth)
        changed, misses = False, 0
        for move in moves:
            if misses == MOST_MISSES or expired():
                break
            made = state.make(move, allowed)
            changed |= made
            misses = 0 if made else misses + 1
        if not changed:
            break
    return state.weights


class _State:
    """Weights, what they measure, and what they would measure after a move."""

    def __init__(self, program: Program, weights: Weights, normalised: Normalised) -> None:
        self._program, self._normalised = program, normalised
        self.weights = dict(weights)
        self._networks: Parameters = as_networks(weights, normalised)
        self._of_tensors = {name: parameter_bits(weights[name]) for name in self._networks}
        program.see(weights[LATENTS].symbols.reshape(-1).astype(np.float32))
        measured = program.measure(self._networks)
        self.error, self._of_latents = measured.error, measured.bits

    @property
    def n_moves(self) -> int:
        """At most."""
        return 2 * sum(np.count_nonzero(self.weights[name].symbols) for name in self._networks)

    def moves(self, expired: Callable[[], bool]) -> Iterator[_Move]:
        """To 0, and by one towards it, of every integer, each measured alone."""
        for name in self._networks:
            symbols = self.weights[name].symbols.reshape(-1)
            for place in map(int, np.flatnonzero(symbols)):
                now = int(symbols[place])
                for to in {0, now - (1 if now > 0 else -1)}:
                    if expired():
                        return
                    _, error, bits, of_tensor = self._after(name, place, to)
                    saved = self._of_latents + self._of_tensors[name] - bits - of_tensor
                    yield _Move(name, place, to, error - self.error, saved)

    def make(self, move: _Move, allowed: float) -> bool:
        """Make a move, if the error then is allowed and bits are saved; whether it was made."""
        if abs(move.to) >= abs(int(self.weights[move.name].symbols.reshape(-1)[move.place])):
            return False  # another move has been there
        moved, error, bits, of_tensor = self._after(move.name, move.place, move.to)
        if error > allowed or bits + of_tensor >= self._of_latents + self._of_tensors[move.name]:
            return False
        self.weights[move.name] = moved
        self._networks = {**self._networks, move.name: as_network(move.name, moved, self._normalised)}
        self.error, self._of_latents, self._of_tensors[move.name] = error, bits, of_tensor
        return True

    def _after(self, name: str, place: int, to: int) -> tuple[Quantized, float, float, float]:
        """A tensor with one other integer, the error, and the bits of latents and of the tensor."""
        before = self.weights[name]
        symbols = before.symbols.copy()
        symbols.reshape(-1)[place] = to
        moved = Quantized(symbols, before.step)
        measured = self._program.measure({**self._networks, name: as_network(name, moved, self._normalised)})
        return moved, measured.error, measured.bits, parameter_bits(moved)
