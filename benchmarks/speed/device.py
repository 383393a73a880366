"""Engines on a GPU against each other and the device's limits, in one run, at the paper's scale.

Steps are timed in blocks of 32, as the fitting loop takes them. The limits are measured beside them: large matrix
products in each arithmetic, and a copy of memory. A step cannot take less than its matrix products at the first, or its
least traffic at the second; the shares say how near it comes.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.data.problems import problem, random_weights
from benchmarks.records.store import Row
from benchmarks.speed import grids
from benchmarks.speed.workloads import matrix_flops, seconds
from nfcodec.errors import EngineError
from nfcodec.fields import Geometry, Grid, Ngp, Siren
from nfcodec.fields.grid import BareProducts, Descent, TorchProgram
from nfcodec.fitting import Clock, Engine, Halt, Objective, Problem, Rates, Schedule, engines, fit
from nfcodec.raster import Samples
from nfcodec.workers import Workers

ENGINES = ("tinycudann", "cuda", "torch")
BLOCK = 32
STILL = Rates(1e-6, 1e-6)
"""Rates that change next to nothing: steps take the same time at any."""

GOAL_DB = 50.0
MAX_STEPS = 5000
FIT_RATES = {"siren": Rates(2.0**-10, 2.0**-10), "ngp": Rates(2.0**-6, 2.0**-6)}
PRODUCT_SIDE, COPY_FLOATS, REPEATS = 8192, 1 << 28, 10


def rows(samples: Samples, device: str, rounds: int, names: tuple[str, ...] = ENGINES) -> Iterator[Row]:
    """All rows for one gray picture, square."""
    limits = device_limits(torch.device(device))
    yield {"part": "limits", "device": device_name(device), **limits}
    side = samples.shape[0]
    for name, field in (("siren", Siren(side)), ("ngp", Ngp.instant(side))):
        each = problem(samples, field)
        running: dict[str, Engine] = {}
        for engine_name in names:
            try:
                running[engine_name] = start(engine_name, device, each)
            except EngineError as error:
                yield {"part": "steps", "field": name, "side": side, "engine": engine_name, "reason": str(error)}
        yield from step_rows(name, each, running, rounds, limits)
        for engine_name in running:
            yield fit_row(name, each, engine_name, device)
    yield grid_row(samples, device, rounds, limits)


def start(name: str, device: str, each: Problem) -> Engine:
    return engines.create(name, device, each, random_weights(each.field, each.geometry, 0), Objective(), 0)


def device_limits(device: torch.device) -> dict[str, float]:
    """FLOP/s of large matrix products by arithmetic, and bytes/s of a copy, read and written."""
    small = device.type == "cpu"
    a = torch.randn(512 if small else PRODUCT_SIDE, 512 if small else PRODUCT_SIDE, device=device)
    before, found = torch.get_float32_matmul_precision(), dict[str, float]()
    try:
        for name, precision, values in (
            ("fp32", "highest", a), ("tf32", "high", a), ("bf16", "high", a.bfloat16())
        ):  # fmt: skip
            torch.set_float32_matmul_precision(precision)
            found[f"{name}_flops"] = 2 * len(a) ** 3 / fastest(lambda values=values: values @ values, device)
    finally:
        torch.set_float32_matmul_precision(before)
    source = torch.empty(COPY_FLOATS >> (8 if small else 0), device=device)
    target = torch.empty_like(source)
    found["bytes_per_second"] = 8 * source.numel() / fastest(lambda: target.copy_(source), device)
    return found


def fastest(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of some calls, each waited for."""

    def whole() -> None:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    whole()
    return min(seconds(whole) for _ in range(REPEATS))


def least_bytes(field: Siren | Ngp, geometry: Geometry) -> int:
    """What a step must at least move if matrix products are kernels of their own, in 32-bit numbers.

    SIREN: a layer's sums are written and read, its sines and cosines written and read, sines again for the weights'
    gradient, and the derivatives by the sums written and read twice. Instant-NGP with its network in one kernel:
    encodings written and read twice, their derivatives written and read; four entries a level read, their gradient
    read and written.
    """
    if isinstance(field, Siren):
        return 4 * 10 * geometry.n_pixels * field.width * (field.hidden_layers + 1)
    return 4 * geometry.n_pixels * (5 + 4 * 3) * field.encoding_size


def step_rows(
    name: str, each: Problem, running: dict[str, Engine], rounds: int, limits: dict[str, float]
) -> Iterator[Row]:
    """Medians over rounds, in which the engines take turns."""
    field, taken = each.field, {key: list[float]() for key in running}
    assert isinstance(field, Siren | Ngp)
    for engine in running.values():
        engine.gradient()
        engine.advance([STILL] * BLOCK, Halt())  # kernels are compiled and graphs recorded now
    for _ in range(rounds):
        for key, engine in running.items():
            taken[key].append(seconds(lambda engine=engine: engine.advance([STILL] * BLOCK, Halt())) / BLOCK)
    products = matrix_flops(field, each.geometry) / limits["tf32_flops"]
    traffic = least_bytes(field, each.geometry) / limits["bytes_per_second"]
    for key, times in taken.items():
        step = statistics.median(times)
        row = {"part": "steps", "field": name, "side": each.geometry.height, "engine": key, "rounds": rounds}
        row |= {"step_ms": 1e3 * step, "steps_per_second": 1 / step}
        row |= {"share_of_tf32_products": products / step, "share_of_memory": traffic / step}
        if "torch" in taken:
            row["torch_over_this"] = statistics.median(np.array(taken["torch"]) / np.array(times))
        yield row


def grid_row(samples: Samples, device: str, rounds: int, limits: dict[str, float]) -> Row:
    """An iteration of the fit of grids in torch: the median over rounds of `grids.ITERATIONS` of them."""
    targets = np.ascontiguousarray(np.divide(samples.transpose(2, 0, 1), 255), np.float32)
    field, geometry = Grid(), Geometry(*samples.shape)
    program = TorchProgram(field, geometry, targets, None, device)
    descent = Descent(program, grids.begun(field, geometry, targets), grids.GAIN)

    def iterate() -> None:
        for _ in range(grids.ITERATIONS):
            descent.step(grids.HOW)
        program.slopes.cpu()  # waits for the last of them

    iterate()
    step = statistics.median(seconds(iterate) / grids.ITERATIONS for _ in range(rounds))
    products = BareProducts(field, geometry, Workers(1)).n_operations / limits["fp32_flops"]
    row = {"part": "steps", "field": "grid", "side": geometry.height, "engine": "torch", "rounds": rounds}
    return {**row, "step_ms": 1e3 * step, "steps_per_second": 1 / step, "share_of_fp32_products": products / step}


def fit_row(name: str, each: Problem, engine_name: str, device: str) -> Row:
    """Steps and seconds from random weights to 50 dB with one rate; seconds without making the engine."""
    engine = start(engine_name, device, each)
    schedule = Schedule(GOAL_DB, MAX_STEPS, FIT_RATES[name])
    result = fit(each, engine, schedule, Clock("fit", GOAL_DB, time.monotonic()))
    row = {"part": "fit", "field": name, "side": each.geometry.height, "engine": engine_name, "goal_db": GOAL_DB}
    return {**row, "steps": result.steps, "seconds": result.seconds, "reached": result.reached}


def device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.processor() or device
