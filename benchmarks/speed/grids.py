"""An iteration of the fit of grids in compiled loops: beside plain PyTorch, beside its products alone, and in parts.

Rounds interleave the contestants; figures are medians over rounds, ratios those within rounds. The products alone are
those of an iteration, in the same shapes and as often, on data that stay in the cache: the machine's limit.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.data.pictures import Bytes
from benchmarks.records.store import Row
from benchmarks.speed.steps import PAUSE_S
from benchmarks.speed.workloads import picture, seconds
from nfcodec.fields import Geometry, Grid, Parameters
from nfcodec.fields.grid import (
    BareProducts,
    Descent,
    GridProgram,
    Iteration,
    TorchGrid,
    grid_start,
    part_seconds,
    soft_round,
)
from nfcodec.workers import Workers, n_threads, single_threaded_blas

FIELDS = (Grid(), Grid(n_neighbours=10, n_mapped=4, n_hidden=16))

HOW = Iteration(rate_weight=1e-3, temperature=0.3, noise=0.2, latent_rate=1e-2, network_rate=1e-2)
GAIN = 16.0
"""Of latents, before they are rounded."""

ITERATIONS = 3
"""Of the compiled loops, and of the products, in each round."""

Targets = npt.NDArray[np.float32]


def rows(source: Bytes, rounds: int, fields: Sequence[Grid] = FIELDS) -> Iterator[Row]:
    """For each field a row of the iteration, then a row for each of its parts, of an RGB picture."""
    samples = picture(source)
    targets = np.ascontiguousarray(np.divide(samples.transpose(2, 0, 1), 255), np.float32)
    geometry = Geometry(*samples.shape)
    for field in fields:
        name = f"{field.n_neighbours} + {field.n_mapped} inputs, {field.n_hidden} neurons"
        row: Row = {"workload": f"{name}, {geometry.width} x {geometry.height} RGB"}
        parameters = begun(field, geometry, targets)
        workers = Workers(n_threads())
        descent = Descent(GridProgram(field, geometry, targets, None, workers), parameters, GAIN)
        plain = PlainFit(field, geometry, targets, parameters)
        yield row | {"part": "iteration"} | _compared(descent, plain, BareProducts(field, geometry, workers), rounds)
        with single_threaded_blas():
            parts = part_seconds(descent, HOW, rounds)
        for part, times in parts.items():
            yield row | {"part": part, "thread_ms": 1e3 * statistics.median(times)}


class PlainFit:
    """The same iteration in plain PyTorch, with Adam for all tensors."""

    def __init__(self, field: Grid, geometry: Geometry, targets: Targets, parameters: Parameters) -> None:
        self._grid, self._n_pixels, self._targets = TorchGrid(field, geometry), geometry.n_pixels, targets
        self._tensors = {name: torch.nn.Parameter(torch.from_numpy(each.copy())) for name, each in parameters.items()}
        self._optimizer = torch.optim.Adam(self._tensors.values(), lr=HOW.latent_rate)

    def step(self) -> float:
        """The loss before it."""
        soft = soft_round(self._tensors["latents"] * GAIN, HOW.temperature)
        seen = soft_round(soft + HOW.noise * torch.randn_like(soft), HOW.temperature)
        samples, bits = self._grid({**self._tensors, "latents": seen})
        error = (samples - torch.from_numpy(self._targets)).square().mean()
        self._optimizer.zero_grad()
        loss = error + HOW.rate_weight * bits.sum() / self._n_pixels
        loss.backward()
        self._optimizer.step()
        return loss.item()


def begun(field: Grid, geometry: Geometry, targets: Targets) -> Parameters:
    """Those of a start, with latents as far apart as in a fit that has begun."""
    rng = np.random.default_rng(0)
    found = dict(grid_start(field, geometry, targets.min(axis=(1, 2)), targets.max(axis=(1, 2)), rng))
    found["latents"] = rng.normal(0, 0.03, found["latents"].shape).astype(np.float32)
    return found


def _compared(descent: Descent, plain: PlainFit, products: BareProducts, rounds: int) -> Row:
    """Medians of times, and of the ratios within rounds."""

    def iterate() -> None:
        with single_threaded_blas():
            for _ in range(ITERATIONS):
                descent.step(HOW)

    contestants: dict[str, Callable[[], float]] = {
        "products": lambda: min(products.seconds() for _ in range(ITERATIONS)),
        "numba": lambda: seconds(iterate) / ITERATIONS,
        "torch": lambda: seconds(plain.step),
    }
    taken: dict[str, list[float]] = {key: [] for key in contestants}
    for contestant in contestants.values():
        contestant()
    for _ in range(rounds):
        for key, contestant in contestants.items():
            time.sleep(PAUSE_S)
            taken[key].append(contestant())

    def ratio(key: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(taken[key], taken[other], strict=True))

    row: Row = {f"{key}_ms": 1e3 * statistics.median(times) for key, times in taken.items()}
    row["torch_over_numba"] = ratio("torch", "numba")
    row["numba_over_products"] = ratio("numba", "products")
    row["products_gflops"] = products.n_operations / statistics.median(taken["products"]) / 1e9
    return row
