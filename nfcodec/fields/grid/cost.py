"""What an encode of a field of grids takes."""

from __future__ import annotations

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.plan import soft_steps
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Work
from nfcodec.fitting.plans import SEARCH, WRITING, Stage

PIXEL, MULTIPLICATION = Work(alone=13e-9, shared=49e-9), Work(shared=0.0245e-9, alone=0.0)
"""Of an iteration: of a pixel, and of each multiplication of the networks for one."""

ITERATION = 2.2e-3
"""Seconds of an iteration beside, whatever the picture's size: for small ones it is most of the time."""

TORCH_TIMES = 18.0
"""So many times longer PyTorch takes for an iteration on a CPU. What a GPU takes has not been measured, and is reckoned
as compiled loops on the CPU."""

PASSES = 60
"""Iterations that finding the networks' steps and landing take."""

WRITING_PIXEL = Work(alone=1.5e-6)
"""Coding the latents, and decoding the file."""

PIXEL_BYTES = 250

PIECE = 1 << 20
"""So many pixels, or entries, go through the networks at once in PyTorch: it bounds what is held for gradients."""

TORCH_BYTES, TORCH_PIXEL_BYTES, TORCH_PIECE_BYTES = 340e6, 460, 710
"""Of PyTorch itself, of a pixel, and of a pixel that goes through the networks."""


def stages(field: Grid, geometry: Geometry, n_steps: int, times: float = 1.0) -> list[Stage]:
    """Of an encode in so many iterations.

    Args:
        times: what they take, over compiled loops.
    """
    n = field.n_inputs
    products = (
        1.34 * n * (2 * n + 4) + field.n_hidden * (field.n_levels + geometry.channels) + 18 * geometry.channels**2
    )
    of_pixels = PIXEL.seconds(geometry.n_pixels) + MULTIPLICATION.seconds(geometry.n_pixels * products)
    step = times * (ITERATION + of_pixels)
    writing = WRITING_PIXEL.seconds(geometry.n_pixels)
    n_soft = soft_steps(n_steps)
    n_rounds = n_steps - n_soft
    fit, rounds = Stage("fit", step * n_soft, n_soft), Stage("fine-tune", step * n_rounds, n_rounds)
    return [fit, Stage(SEARCH, PASSES * step), rounds, Stage(WRITING, writing)]


def memory_bytes(geometry: Geometry, engine: str, n_fits: int = 1) -> float:
    """At the peak, on the CPU.

    Args:
        n_fits: that are in memory together.
    """
    n_pixels = geometry.n_pixels
    if engine != "torch":
        return BASE_BYTES + KERNEL_BYTES + n_fits * PIXEL_BYTES * n_pixels
    piece = TORCH_PIECE_BYTES * min(PIECE, n_pixels)
    return BASE_BYTES + KERNEL_BYTES + TORCH_BYTES + n_fits * TORCH_PIXEL_BYTES * n_pixels + piece
