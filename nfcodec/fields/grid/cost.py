"""What an encode of a field of grids takes."""

from __future__ import annotations

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.plan import soft_steps
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Work
from nfcodec.fitting.plans import SEARCH, WRITING, Stage

PIXEL, MULTIPLICATION = Work(alone=13e-9, shared=49e-9), Work(shared=0.0245e-9, alone=0.0)
"""Of an iteration: of a pixel, and of each multiplication of the networks for one."""

PASSES = 60
"""Iterations that finding the networks' steps and landing take."""

WRITING_PIXEL = Work(alone=1.5e-6)
"""Coding the latents, and decoding the file."""

PIXEL_BYTES = 250


def stages(field: Grid, geometry: Geometry, n_steps: int) -> list[Stage]:
    """Of an encode in so many iterations."""
    n = field.n_inputs
    products = (
        1.34 * n * (2 * n + 4) + field.n_hidden * (field.n_levels + geometry.channels) + 18 * geometry.channels**2
    )
    step = PIXEL.seconds(geometry.n_pixels) + MULTIPLICATION.seconds(geometry.n_pixels * products)
    writing = WRITING_PIXEL.seconds(geometry.n_pixels)
    n_soft = soft_steps(n_steps)
    n_rounds = n_steps - n_soft
    fit, rounds = Stage("fit", step * n_soft, n_soft), Stage("fine-tune", step * n_rounds, n_rounds)
    return [fit, Stage(SEARCH, PASSES * step), rounds, Stage(WRITING, writing)]


def memory_bytes(field: Grid, geometry: Geometry) -> float:
    """At the peak."""
    return BASE_BYTES + KERNEL_BYTES + PIXEL_BYTES * geometry.n_pixels
