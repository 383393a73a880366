"""The field of grids in PyTorch: error and bits, and their gradients by all tensors, on a GPU or on the CPU.

Entries, latents and what Adam knows of them stay on the device. The networks, about 2,000 numbers, are moved by SOAP on
the host: each pass takes them over in one copy, and hands error, bits and their gradients back in another, for which
the host waits. All arithmetic is in float32: TF32 would round what filters see to 11 bits, while they work on integers
of any size; and these convolutions have so few channels that tensor cores would gain nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor
from torch.backends import cudnn

from nfcodec.errors import EngineError
from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.cost import PIECE
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.program import EPS, Latents, Measured, Program
from nfcodec.fields.grid.synthesis import REACH
from nfcodec.fields.grid.torch import TorchGrid, soft_round
from nfcodec.kernels.arguments import Floats


@final
class TorchProgram(Program):
    """A pass by automatic differentiation.

    Args:
        target: (C, H, W) float32; weights: as the target, or none, for ones.
        device: "cpu", "cuda", or "auto" for a CUDA device if there is one.

    Attributes:
        seen: all entries as the networks see them, (n_entries,), on the device.
        slopes: of the loss by `seen`, after a pass with gradients.

    Raises:
        EngineError: there is no such device.
    """

    engine: ClassVar[str] = "torch"

    def __init__(
        self, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, device: str = "auto"
    ) -> None:
        self.require(device)
        super().__init__(field, geometry, device)
        if device == "auto":
            self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self._grid = TorchGrid(field, geometry)
        self._networks = [each for each in field.layout(geometry) if each.name != LATENTS]
        self._target = self.there(target)
        self._weights = None if weights is None else self.there(weights)
        self.seen = torch.zeros(sum(each.size for each in self.lattices), device=self.device)
        self.slopes = torch.zeros_like(self.seen)
        self._columns = _cut(self.seen.numel(), PIECE)
        self._rows = _cut(geometry.height, max(1, PIECE // geometry.width))

    @classmethod
    def require(cls, device: str) -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise EngineError("no CUDA device is available to torch")

    @classmethod
    def of(cls, field: Grid, geometry: Geometry, target: Floats, weights: Floats | None, device: str) -> TorchProgram:
        return cls(field, geometry, target, weights, device)

    def there(self, values: Floats) -> Tensor:
        """A copy of an array on the device."""
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def latents(self, values: Floats, gain: float, seed: int) -> Latents:
        return _TorchLatents(self, values, gain, seed)

    def see(self, entries: Floats) -> None:
        self.seen = self.there(entries)

    def entry_slopes(self) -> Floats:
        return np.array(self.slopes.cpu().numpy(), np.float32)

    def measure(self, tensors: Parameters, picture: Floats | None = None) -> Measured:
        samples = None if picture is None else torch.empty_like(self._target)
        with torch.no_grad(), _in_float32(), self._enough_memory():
            found = self._run(self._taken_over(tensors), self.seen, 0.0, samples)
        if picture is not None and samples is not None:
            picture[:] = samples.cpu().numpy()
        return _measured(found.cpu().numpy())

    def differentiate(self, tensors: Parameters, rate_weight: float) -> tuple[Measured, Parameters]:
        leaves, seen = self._taken_over(tensors), self.seen.detach().requires_grad_()
        for each in leaves.values():
            each.requires_grad_()
        with torch.enable_grad(), _in_float32(), self._enough_memory():
            found = self._run(leaves, seen, rate_weight, None)
        self.slopes = _slope(seen)
        slopes = [_slope(each).reshape(-1) for each in leaves.values()]
        both = torch.cat([found, *slopes]).cpu().numpy()  # here the host waits for the device
        ends = np.cumsum([found.numel(), *(each.size for each in self._networks)])[:-1]
        measured, *gradients = np.split(both, ends)
        return _measured(measured), {
            each.name: gradient.reshape(each.shape).astype(np.float32)
            for each, gradient in zip(self._networks, gradients, strict=True)
        }

    @contextmanager
    def _enough_memory(self) -> Generator[None]:
        """Raises EngineError where there is not."""
        try:
            yield
        except torch.cuda.OutOfMemoryError as error:
            raise EngineError(f"not enough memory on {self.device} for the fit") from error

    def _taken_over(self, tensors: Parameters) -> dict[str, Tensor]:
        """The networks on the device, by one copy, for which the host does not wait."""
        here = np.concatenate([tensors[each.name].reshape(-1) for each in self._networks], dtype=np.float32)
        flat = torch.from_numpy(here).to(self.device, non_blocking=True)
        parts: Sequence[Tensor] = torch.split(flat, [each.size for each in self._networks])
        return {each.name: part.view(each.shape) for each, part in zip(self._networks, parts, strict=True)}

    def _run(self, tensors: dict[str, Tensor], seen: Tensor, rate_weight: float, samples: Tensor | None) -> Tensor:
        """The error, and the bits of each grid, float64; where gradients are on, those by all leaves are added up."""
        values = self._grid.apart(seen)
        levels, inputs = self._grid.upsampled(values, tensors["filters"]), self._grid.inputs(values, tensors)
        errors, bits = list[Tensor](), torch.empty_like(self.seen)

        def error(piece: Tensor, i: int) -> Tensor:
            rows = self._rows[i]
            first = rows.start - self._near(rows).start
            read = self._grid.read(piece, tensors)[:, first : first + rows.stop - rows.start]
            squares = (read - self._target[:, rows]).square()
            weighted = squares if self._weights is None else squares * self._weights[:, rows]
            share = weighted.sum(dtype=torch.float64) / self._target.numel()
            errors.append(share.detach())
            if samples is not None:
                samples[:, rows] = read
            return share

        def price(piece: Tensor, i: int) -> Tensor:
            found = self._grid.bits(piece, tensors)
            bits[self._columns[i]] = found.detach()
            return found.sum() * (rate_weight / self.n_pixels)

        level_slopes = _in_pieces(levels, [self._near(rows) for rows in self._rows], error)
        input_slopes = _in_pieces(inputs, self._columns, price)
        if torch.is_grad_enabled():
            torch.autograd.backward([levels, inputs], [level_slopes, input_slopes])
        grid_bits = [bits[each.entries].sum(dtype=torch.float64) for each in self.lattices]
        return torch.stack([torch.stack(errors).sum(), *grid_bits])

    def _near(self, rows: slice) -> slice:
        """Rows of the levels that rows of the picture are read from."""
        return slice(max(0, rows.start - REACH), min(self.geometry.height, rows.stop + REACH))


class _TorchLatents(Latents):
    """Latents on the program's device. The noise is that of torch's generator there, so it differs between devices."""

    def __init__(self, program: TorchProgram, values: Floats, gain: float, seed: int) -> None:
        self._program, self._gain = program, gain
        self._values = program.there(values)
        self._generator = torch.Generator(program.device).manual_seed(seed % (1 << 64))
        self._softened: Tensor | None = None
        self.restart()

    @property
    def values(self) -> Floats:
        return self._values.detach().cpu().numpy()

    def restore(self, values: Floats) -> None:
        self._values = self._program.there(values)
        self.restart()

    def restart(self) -> None:
        self._n = 0
        self._mean, self._square = torch.zeros_like(self._values), torch.zeros_like(self._values)

    def harden(self) -> None:
        self._program.seen = torch.floor(self._values * self._gain + 0.5)

    def soften(self, temperature: float, noise: float) -> None:
        random = torch.randn(self._values.shape, generator=self._generator, device=self._program.device)
        with torch.enable_grad():
            self._leaf = self._values.detach().requires_grad_()
            once = soft_round(self._leaf * self._gain, temperature)
            self._softened = soft_round(once + noise * random, temperature)
        self._program.seen = self._softened.detach()

    def move(self, rate: float, betas: tuple[float, float]) -> None:
        assert self._softened is not None
        (slopes,) = torch.autograd.grad(self._softened, self._leaf, self._program.slopes)
        self._n += 1
        beta_1, beta_2 = betas
        correction_1, correction_2 = (1 / (1 - each**self._n) for each in betas)
        self._mean.lerp_(slopes, 1 - beta_1)
        self._square.mul_(beta_2).addcmul_(slopes, slopes, value=1 - beta_2)
        root = (self._square * correction_2).sqrt_().add_(EPS)
        self._values.addcdiv_(self._mean, root, value=-rate * correction_1)


def _in_pieces(whole: Tensor, pieces: Sequence[slice], loss: Callable[[Tensor, int], Tensor]) -> Tensor | None:
    """Losses of columns `whole[:, piece]`; where gradients are on, those of a piece follow at once, back to `whole`.

    Returns:
        The slopes of the sum of losses by `whole`, where gradients are on.
    """
    if not torch.is_grad_enabled():
        for i, each in enumerate(pieces):
            loss(whole[:, each], i)
        return None
    slopes = torch.zeros_like(whole)
    for i, each in enumerate(pieces):
        piece = whole.detach()[:, each].requires_grad_()
        loss(piece, i).backward()
        slopes[:, each] += _slope(piece)
    return slopes


def _cut(size: int, most: int) -> list[slice]:
    """Pieces of 0 .. size - 1, of so many at most."""
    return [slice(first, last) for first, last in pairwise([*range(0, size, most), size])]


def _slope(leaf: Tensor) -> Tensor:
    """What has been added up for a leaf; 0 where nothing depends on it."""
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def _measured(found: Floats) -> Measured:
    error, *grid_bits = found.tolist()
    return Measured(error, tuple(grid_bits))


@contextmanager
def _in_float32() -> Generator[None]:
    """No TF32; and convolutions of cuDNN by algorithms that add up in one order, so that a seed gives one fit."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
