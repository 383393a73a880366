"""Speed as ratios taken in one run: engines against each other and the machine's limits, recipes, whole processes.

    python -m benchmarks.speed --data FOLDER --json FILE                     # everything, about twenty minutes
    python -m benchmarks.speed --data FOLDER --parts steps --rounds 7
    python -m benchmarks.speed --data FOLDER --device cuda                   # engines on a GPU, at the paper's scale

FOLDER holds kodim05.png and so on; `--large` names a picture for the scaling test. Parts:

* steps: one optimisation step of the numba engine, the torch engine, a plain PyTorch hash grid written the way public
  repositories do it, and the time that the step's matrix products alone take at the machine's fp32 rate, measured in
  the same round. Rounds interleave the contestants; figures are medians over rounds, the `best` share that of the
  fastest round of each.
* recipe: steps and seconds from random weights to 50 dB, default settings against the paper's recipe (Adam, default
  initialisation, one fixed rate; also the best of several rates), on several pictures, plain and with rpp. Both go back
  to the best weights when the error spikes.
* encode, decode: whole processes, start-up included, with their peak memory.

Seconds depend on the machine and on what else it does; compare ratios.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.rates.encode_table import run
from benchmarks.records.store import surroundings
from benchmarks.speed import device
from benchmarks.speed.plain_hash_grid import PlainHashGrid
from benchmarks.speed.workloads import matrix_flops, picture, print_row, problem, seconds
from nfcodec.codec import EncodeOptions, encode
from nfcodec.fields import Geometry, Ngp, Siren
from nfcodec.fitting import Problem, Request
from nfcodec.fitting import engines as fitting_engines
from nfcodec.fitting.dense import start_dense
from nfcodec.fitting.engines import Engine, Objective, Rates
from nfcodec.fitting.general import default_rates, optimizer_of
from nfcodec.fitting.loop import Clock, Schedule, fit
from nfcodec.fitting.plan import default_ngp, well_started
from nfcodec.fitting.tensors import start_general
from nfcodec.raster import Raster, Samples

GOAL_DB = 50.0
PAPER_RATE = 2.0**-10
PAPER_MAX_STEPS = 3000
OTHER_RATES = (2.0**-8.5, 2.0**-9, 2.0**-9.5)
"""Tried for the paper's recipe besides its rate, each only for as long as it could still be the best."""

RECIPE_IMAGES = 8
PAUSE_S = 0.3
"""Between contestants: OpenMP's threads keep a processor busy for a while after their work."""


def fp32_rate() -> float:
    """FLOP/s of a large fp32 matrix product, the better of numpy's and torch's."""
    a, best = np.random.default_rng(0).standard_normal((2048, 2048), np.float32), 0.0
    b = torch.from_numpy(a)
    for product in (lambda: a @ a, lambda: b @ b):
        product()
        best = max(best, 2 * 2048**3 / min(seconds(product) for _ in range(3)))
    return best


# --------------------------------------------------------------------------------------------------------------- steps


def steps_part(data: Path, rounds: int) -> list[dict[str, Any]]:
    color, gray = picture(data / "kodim05.png"), picture(data / "kodim05.png", 512, gray=True)
    workloads: dict[str, Problem] = {
        "ngp, 16 hash levels x 2, 2 x 64, 512 x 512 gray": problem(gray, Ngp.instant(512)),
        "ngp, dense levels, 768 x 512 RGB, with rate": problem(color, default_ngp(Geometry(*color.shape))),
    }
    for side in (128, 256, 512):
        workloads[f"siren, width {side}, {side} x {side} gray"] = problem(
            picture(data / "kodim05.png", side, gray=True), Siren(side)
        )
    return [step_row(name, each, rounds) for name, each in workloads.items()]


def step_row(name: str, each: Problem, rounds: int) -> dict[str, Any]:
    """Medians of the step times, and of the ratios within rounds."""
    objective, rates = Objective(), Rates(1e-4, 1e-4)
    if "rate" in name:
        parameters, steps = start_dense(each, Request(40.0, 5, 0))
        objective = Objective(steps, each.allowed_mse(40.0), 0.3)
    else:
        parameters = each.spec.initial(each.geometry, 0)
    contestants: dict[str, Callable[[], object]] = {}
    for engine_name in ("numba", "torch"):
        engine = fitting_engines.create(engine_name, "cpu", each, parameters, objective, 0)
        contestants[engine_name] = lambda engine=engine: one_step(engine, rates)
    if "hash" in name:
        assert isinstance(each.spec, Ngp)
        contestants["plain"] = PlainHashGrid(each.spec, each.geometry, each.targets).step
    for contestant in contestants.values():
        contestant()
    flops = matrix_flops(each.spec, each.geometry)
    taken: dict[str, list[float]] = {key: [] for key in ("products", *contestants)}
    for _ in range(rounds):
        taken["products"].append(flops / fp32_rate())
        for key, contestant in contestants.items():
            time.sleep(PAUSE_S)
            taken[key].append(seconds(contestant))

    def ratio(key: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(taken[key], taken[other], strict=True))

    row = {"part": "steps", "workload": name, "rounds": rounds}
    row |= {f"{key}_ms": 1e3 * statistics.median(times) for key, times in taken.items()}
    row |= {f"{key}_over_numba": ratio(key, "numba") for key in contestants if key != "numba"}
    row["numba_over_products"] = ratio("numba", "products")
    row["share_of_matrix_rate"] = ratio("products", "numba")
    row["best_share_of_matrix_rate"] = min(taken["products"]) / min(taken["numba"])
    return row


def one_step(engine: Engine, rates: Rates) -> None:
    engine.gradient()
    engine.update(rates)


# -------------------------------------------------------------------------------------------------------------- recipe


def recipe_part(data: Path, side: int, images: int, defaults: int | None, cap: float) -> list[dict[str, Any]]:
    """Default settings on all pictures, or the first `defaults`; the paper's recipe on the first `images`.

    The paper's recipe may take `cap` times the default settings' steps; where it does, it counts as not having reached.
    """
    rows: list[dict[str, Any]] = []
    for i, path in enumerate(sorted(data.glob("kodim*.png"))[:defaults]):
        for transform in ("none", "rpp"):
            samples = picture(path, side, gray=True)
            row = {"part": "recipe", "image": path.stem, "side": side, "transform": transform}
            ours = problem(samples, well_started(Siren(side), Geometry(*samples.shape)), transform)
            row |= {f"default_{key}": value for key, value in run_recipe(ours).items()}
            if i < images:
                theirs = problem(samples, Siren(side), transform)
                limit = min(PAPER_MAX_STEPS, math.ceil(cap * row["default_steps"]))
                paper = run_recipe(theirs, PAPER_RATE, limit)
                row |= {f"paper_{key}": value for key, value in paper.items()}
                row["steps_ratio"] = row["paper_steps"] / row["default_steps"]
                row["seconds_ratio"] = row["paper_seconds"] / row["default_seconds"]
                if not paper["reached"]:
                    rows.append(row)
                    print_row(row)
                    continue
                best = paper["steps"]
                for rate in OTHER_RATES:
                    best = min(best, run_recipe(theirs, rate, best)["steps"])
                row["paper_steps_at_best_rate"] = best
            rows.append(row)
            print_row(row)
    return rows


def run_recipe(each: Problem, rate: float | None = None, max_steps: int = 1000) -> dict[str, Any]:
    """Steps and seconds to the goal: by default ours; with a rate the paper's, Adam from its own initial weights."""
    start = start_general(each, 0) if rate is None else each.spec.initial(each.geometry, 0)
    engine = fitting_engines.create("numba", "cpu", each, start, Objective(), 0)
    optimizer = optimizer_of(each, Request(GOAL_DB, 5, 0)) if rate is None else None
    schedule = Schedule(GOAL_DB, max_steps, default_rates(each) if rate is None else Rates(rate, rate))
    result = fit(each, engine, schedule, Clock("fit", GOAL_DB, 0.0), optimizer=optimizer)
    return {"steps": result.steps, "seconds": result.seconds, "reached": result.reached}


# ------------------------------------------------------------------------------------------------------ whole processes


def encode_part(data: Path, large: Path | None, folder: Path) -> list[dict[str, Any]]:
    Image.fromarray(picture(data / "kodim05.png", 512, gray=True)[:, :, 0]).save(folder / "gray512.png")
    jobs = [
        ("kodim05", data / "kodim05.png", ["--psnr", "40"]),
        ("kodim05", data / "kodim05.png", ["--psnr", "50"]),
        ("kodim05, 512 x 512 gray", folder / "gray512.png", ["--psnr", "50"]),
    ]
    jobs += [(large.stem, large, ["--psnr", "40"])] if large else []
    rows: list[dict[str, Any]] = []
    for name, path, options in jobs:
        text, elapsed, memory = run(["encode", str(path), str(folder / "out.nfc"), "-f", "-q", "--json", *options])
        report = json.loads(text)
        keys = ("bytes", "bpp", "psnr_db", "steps", "fit_seconds", "engine")
        row = {"part": "encode", "image": name, "options": " ".join(options), "seconds": elapsed, "MB": memory}
        row |= {key: report[key] for key in keys}
        row["seconds_per_megapixel"] = elapsed / (report["pixels"] / 1e6)
        rows.append(row)
        print_row(row)
    if large:
        row = {"part": "encode", "image": "large over kodim05, per megapixel"}
        row["ratio"] = rows[-1]["seconds_per_megapixel"] / rows[0]["seconds_per_megapixel"]
        rows.append(row)
        print_row(row)
    return rows


def decode_part(data: Path, folder: Path, rounds: int) -> list[dict[str, Any]]:
    gray = picture(data / "kodim05.png", 512, gray=True)
    Image.fromarray(gray[:, :, 0]).save(folder / "gray512.png")
    run(["encode", str(data / "kodim05.png"), str(folder / "color.nfc"), "-f", "-q"])
    siren_file(gray, folder / "siren.nfc")
    rows: list[dict[str, Any]] = []
    for name, path in (("kodim05, ngp", "color.nfc"), ("512 x 512 gray, siren of width 512", "siren.nfc")):
        runs = [run(["decode", str(folder / path), str(folder / "out.png"), "-f", "-q"]) for _ in range(rounds)]
        row = {"part": "decode", "file": name, "seconds": statistics.median(each[1] for each in runs)}
        rows.append({**row, "fastest": min(each[1] for each in runs), "MB": max(each[2] for each in runs)})
        print_row(rows[-1])
    return rows


def siren_file(samples: Samples, path: Path) -> None:
    """A SIREN of the paper's width for 512 x 512, hardly fitted: decoding takes the same time for any weights."""
    options = EncodeOptions(psnr_db=50.0, field=Siren(512), max_steps=1, effort=1, best_effort=True)
    path.write_bytes(encode(Raster(samples, None), options).data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the Kodak pictures as kodimNN.png")
    parser.add_argument("--large", type=Path, help="a large picture")
    parts = ("steps", "recipe", "encode", "decode")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=128, help="of the pictures for the recipe")
    parser.add_argument("--images", type=int, default=RECIPE_IMAGES, help="pictures that the paper's recipe is run on")
    parser.add_argument("--defaults", type=int, help="pictures that the default recipe is run on; all by default")
    parser.add_argument("--cap", type=float, default=1000.0, help="stop the paper's recipe at so many times our steps")
    parser.add_argument("--json", type=Path, help="write machine and rows to this file")
    parser.add_argument("--device", default="cpu", help="cuda: the engines there, instead of the parts")
    arguments = parser.parse_args()
    described = dict(surroundings())
    print_row(described)
    if arguments.device != "cpu":
        rows = device.rows(picture(arguments.data / "kodim05.png", 512, gray=True), arguments.device, arguments.rounds)
        write(arguments.json, described, rows)
        return
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "steps" in arguments.parts:
            for row in steps_part(arguments.data, arguments.rounds):
                rows.append(row)
                print_row(row)
        if "recipe" in arguments.parts:
            rows += recipe_part(arguments.data, arguments.side, arguments.images, arguments.defaults, arguments.cap)
        if "encode" in arguments.parts:
            rows += encode_part(arguments.data, arguments.large, folder)
        if "decode" in arguments.parts:
            rows += decode_part(arguments.data, folder, arguments.rounds)
    write(arguments.json, described, rows)


def write(path: Path | None, machine: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    if path:
        path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
