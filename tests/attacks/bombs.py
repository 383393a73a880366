"""Small files that ask for much: what each is said to take, and what it took.

    python -m tests.attacks.bombs [NAME ...]

Each is decoded in a process of its own, with no limits, and what it takes is measured there: memory over that of a
process which has decoded a small file before, and CPU seconds. Beside it stands what `nfcodec.codec.document.parse`
says of the file, and how long a refusal takes under limits of half as much. The exit code is 1 if something takes
longer than is said even in the quickest of three runs, or if memory is not bounded closely.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import forge

from nfcodec.codec import decode
from nfcodec.codec.document import parse
from nfcodec.coding import packed
from nfcodec.coding.convolutional import parities, path_length
from nfcodec.coding.entropy import Encoder
from nfcodec.coding.payload import ANY, CODED, NEIGHBOURS, encode_payload
from nfcodec.coding.planes import CODED as CODED_PLANES
from nfcodec.coding.planes import code_plane
from nfcodec.coding.residuals import encode_residual
from nfcodec.errors import LimitError, NfcError
from nfcodec.exact.arithmetic import Step
from nfcodec.exact.field import Role
from nfcodec.fields import Field, Geometry, Grid, HashLevel, Ngp, Pyramid, Samples, Siren, Table, TiledSiren, Wavelet
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.synthesis import UNIT_STEP
from nfcodec.fitting.cost import slowness
from nfcodec.format import ALPHA, PLANES, RESIDUAL, WEIGHTS
from nfcodec.limits import DEFAULT_LIMITS, Limits

CLEAR_REFS = Path("/proc/self/clear_refs")
WHOLE = 1 << 24
RUNS = 3
SMALL_BYTES = 200e6
"""What takes less memory may be said to take more than twice as much."""

EASY = {"pyramid", "lattices", "alpha and residual", "eight zigzags"}
"""Their streams are empty, so that they hold far fewer different symbols than the heads tell of, or end at once."""

UNLIMITED = dict.fromkeys(Limits.__dataclass_fields__, math.inf)


def level(scale: float, size: int, features: int = 8) -> HashLevel:
    return HashLevel(scale, math.ceil(scale) + 1, size, features)


def random_file(
    field: Field, width: int, height: int, limit: int, order: int, step: bytes = forge.STEP, **options: Any
) -> bytes:
    """A file whose tables hold random symbols up to a limit, of many contexts; all else is 1."""
    channels = options.setdefault("channels", 1)
    geometry, rng = Geometry(height, width, channels), np.random.default_rng(1)
    symbols = {
        tensor.name: rng.integers(-limit, limit + 1, tensor.shape)
        if tensor.role is not Role.BIAS and tensor.name != "skip"
        else np.ones(tensor.shape, np.int64)
        for tensor in field.layout(geometry)
    }
    if isinstance(field, Table) and order == CODED:
        table = symbols["level0"]
        path = rng.integers(0, 2, path_length(table.size)).astype(np.uint8)
        parity = parities(path, 0).reshape(-1)[: table.size].reshape(table.shape)
        symbols["level0"] = (table & ~1) | parity
    payload = encode_payload(order, field.parts(geometry, order), symbols)
    steps = step * len(symbols)
    return forge.with_chunk(forge.build(field, width, height, order=order, steps=steps, **options), WEIGHTS, payload)


def noise(width: int, height: int, channels: int, depth: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 1 << depth, (height, width, channels))


def plane(width: int, height: int, depth: int, count: int = 1) -> bytes:
    """The payload of planes of noise."""
    coder = Encoder()
    for _ in range(count):
        code_plane(coder, height, width, depth, noise(width, height, 1, depth)[:, :, 0])
    return bytes([CODED_PLANES]) + coder.finish()


def residual(width: int, height: int) -> bytes:
    values = noise(width, height, 3, 16)  # over samples of 0
    return encode_residual(values, np.zeros(values.shape, np.int8))


def packed_samples(width: int, height: int, high: int) -> bytes:
    """Packed integers below `high` that rise along rows, columns and features, so that their frame is small."""
    integers = (np.indices((height, width, 3)).sum(axis=0) * 3) % high
    payload = bytes([ANY]) + packed.pack(integers.astype(np.int32))
    return forge.with_chunk(
        forge.build(SAMPLES, width, height, channels=3, depth=16, steps=forge.STEP), WEIGHTS, payload
    )


def grids(field: Grid, width: int, height: int, limit: int, channels: int = 3) -> bytes:
    """Entries of noise up to a limit, and networks of small weights."""
    geometry, rng = Geometry(height, width, channels), np.random.default_rng(1)
    symbols = {tensor.name: rng.integers(-3, 4, tensor.shape) for tensor in field.layout(geometry)}
    symbols[LATENTS] = rng.integers(-limit, limit + 1, symbols[LATENTS].shape).astype(np.int32)
    symbols["entropy_bias"][-2:] = 0, 0 if limit else -5 * 2**7  # entries that are all 0 take next to no bits
    steps = {name: UNIT_STEP if name == LATENTS else Step(128, -14) for name in symbols}
    payload = encode_payload(ANY, field.parts(geometry, ANY), symbols, steps)
    packed_steps = b"".join(bytes([step.mantissa, step.exponent % 256]) for step in steps.values())
    built = forge.build(field, width, height, channels=channels, depth=16, steps=packed_steps)
    return forge.with_chunk(built, WEIGHTS, payload)


TINY = Siren(1, 0)
WIDE_GRID = Grid(12, 9, 14, 16, 256)
SAMPLES = (Samples.wire_id, Samples().pack())
HASHED = tuple(level(65534.0, 1 << 18) for _ in range(32))
LATTICES = tuple(level(7.0 * 2**i + 0.375, 1 << 20) for i in range(7))

BOMBS: dict[str, Callable[[], bytes]] = {
    "wavelets": lambda: forge.build(Wavelet(7), 1200, 1200, channels=3, depth=16),
    "wavelets of noise": lambda: random_file(Wavelet(7), 700, 700, 1 << 20, ANY, channels=3, depth=16),
    "filters": lambda: forge.build(Wavelet(7, 128), 700, 700, channels=3, depth=16),
    "table": lambda: forge.build(Table(), 2000, 2000, channels=3, depth=16),
    "table of noise": lambda: random_file(Table(), 400, 400, 255, ANY, channels=3),
    "table of noise on a code": lambda: random_file(Table(), 400, 400, 507, CODED, channels=3),
    "pyramid": lambda: forge.build(Pyramid(7), 1000, 1000, limit=WHOLE, channels=3, depth=16),
    "pyramid of noise": lambda: random_file(Pyramid(7), 500, 500, WHOLE, ANY, channels=3),
    "pyramid with a wide layer": lambda: forge.build(Pyramid(7, 4096), 400, 400, channels=3),
    "grids": lambda: grids(Grid(), 2000, 2000, 0),
    "wide grids": lambda: grids(WIDE_GRID, 1200, 1200, 0),
    "grids in one column": lambda: grids(WIDE_GRID, 1, 32_768, 0),
    "grids in few rows": lambda: grids(WIDE_GRID, 32_768, 20, 0),
    "grids of noise": lambda: grids(Grid(), 900, 900, 2000),
    "wide siren": lambda: forge.build(Siren(4096, 3), 24, 24, channels=3),
    "deep siren": lambda: forge.build(Siren(1, 63), 1000, 1000),
    "middling siren": lambda: forge.build(Siren(64, 63), 200, 200, channels=3),
    "siren of noise": lambda: random_file(Siren(1024, 2), 120, 120, 1 << 12, ANY, step=b"\x80\xe0"),
    "deep siren of noise": lambda: random_file(Siren(16, 63), 300, 300, 1 << 16, ANY, step=b"\x80\xe0"),
    "siren of noise in matrices": lambda: random_file(Siren(1024, 2), 120, 120, 1 << 12, CODED, step=b"\x80\xe0"),
    "many tiles": lambda: forge.build(TiledSiren(1, 255, (1,) * 255, 25), 32_768, 16),
    "hashed levels": lambda: forge.build(Ngp(HASHED, (64,)), 200, 200),
    "hashed levels of noise": lambda: random_file(Ngp(HASHED[:2], (64,)), 120, 120, 255, ANY),
    "hashed levels of many bits": lambda: random_file(Ngp((level(7.0, 64),) * 32, (4,)), 8, 8, WHOLE, ANY),
    "lattices": lambda: forge.build(Ngp(LATTICES, (64, 64)), 700, 700, order=NEIGHBOURS, limit=WHOLE),
    "large tables": lambda: forge.build(Ngp((level(65534.0, WHOLE),), (4,)), 256, 256),
    "lattices of noise": lambda: random_file(Ngp(LATTICES, (64, 64)), 300, 300, 255, NEIGHBOURS),
    "wide layers behind levels": lambda: random_file(
        Ngp((level(7.0, 64, 1),), (1024,) * 9), 64, 64, 100, ANY, step=b"\x80\xe8"
    ),
    "alpha and residual": lambda: forge.build(
        TINY, 1500, 1500, channels=3, depth=16, extra={RESIDUAL: forge.put_varint(65535) * 3, ALPHA: b"\0"}
    ),
    "alpha and residual of noise": lambda: forge.build(
        TINY, 1000, 1000, channels=3, depth=16, extra={RESIDUAL: residual(1000, 1000), ALPHA: plane(1000, 1000, 16)}
    ),
    "eight zigzags": lambda: forge.build(
        TINY, 800, 800, depth=16, chain=b"\x08" + b"\x02" * 8, extra={PLANES: b"\0"}
    ),
    "eight zigzags of noise": lambda: forge.build(
        TINY, 700, 700, depth=16, chain=b"\x08" + b"\x02" * 8, extra={PLANES: plane(700, 700, 16, 8)}
    ),
    "packed bytes": lambda: packed_samples(2500, 2500, 1 << 8),
    "packed pairs of bytes": lambda: packed_samples(2500, 2500, 1 << 14),
    "eight permutations": lambda: forge.build(TINY, 1000, 1000, chain=b"\x08" + (b"\1\1" + bytes(8)) * 8),
}  # fmt: skip


OF_NOISE = {name for name in BOMBS if "noise" in name} | {"hashed levels of many bits", "wide layers behind levels"}
"""Those that take a while to make."""


def tiny(side: int) -> bytes:
    """A square that a single neuron makes."""
    return forge.build(TINY, side, side)


def resident(name: str = "VmRSS") -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def taken(read: Callable[[], object]) -> dict[str, Any]:
    """CPU seconds, bytes of memory at the peak, and the outcome."""
    CLEAR_REFS.write_text("5")  # the peak begins anew
    before, began = resident(), time.process_time()
    try:
        read()
        outcome = "decoded"
    except NfcError as error:
        outcome = f"{type(error).__name__}: {error}"
    return {"seconds": time.process_time() - began, "memory": resident("VmHWM") - before, "outcome": outcome}


def measure(path: str) -> dict[str, Any]:
    """Of a file, in this process."""
    data = Path(path).read_bytes()
    decode(forge.golden("ngp-rgb"))
    if not hasattr(Limits(), "max_work"):  # as before there was one
        return {"bytes": len(data), "refusal": taken(lambda: decode(data))}
    cost = parse(data, Limits(**UNLIMITED)).cost
    tight = Limits(**UNLIMITED | {"max_memory_bytes": cost.memory_bytes / 2, "max_work": cost.work / 2})
    refusal = taken(lambda: decode(data, tight))
    found = taken(lambda: decode(data, Limits(**UNLIMITED)))
    found |= {"bytes": len(data), "said_memory": cost.memory_bytes, "said_work": cost.work}
    return found | {"refusal": refusal, "by_default": by_default(data)}


def by_default(data: bytes) -> str:
    """What the limits say that hold where nobody asks for others."""
    try:
        parse(data, DEFAULT_LIMITS)
    except LimitError as error:
        return str(error)
    return "within the limits"


def quickest(data: bytes, folder: Path) -> dict[str, Any]:
    """Of a few runs, as a virtual machine may take 2 s to hand out a gigabyte that it does not have yet."""
    return min((measured_apart(data, folder) for _ in range(RUNS)), key=lambda found: found.get("seconds", 0.0))


def measured_apart(data: bytes, folder: Path) -> dict[str, Any]:
    """Of a file, in a process of its own with one thread."""
    path = folder / "bomb.nfc"
    path.write_bytes(data)
    one_thread = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    command = [sys.executable, __file__, "--measure", str(path)]
    result = subprocess.run(command, env={**os.environ, **one_thread}, capture_output=True, check=True)
    return json.loads(result.stdout)


def verdict(name: str, found: dict[str, Any]) -> str:
    """What is wrong with the memory that is said; "" where it is a bound, and close where much was taken."""
    taken, said = found["memory"], found["said_memory"]
    if taken > said:
        return "MORE THAN SAID"
    return "" if said <= 2 * taken or said <= SMALL_BYTES or name in EASY else "SAID TWICE OVER"


def row(name: str, found: dict[str, Any]) -> tuple[str, bool]:
    """A line of the table, and whether all bounds in it hold. Seconds are the reference machine's."""
    refusal = found["refusal"]
    text, wrong = f"{name:28} {found['bytes']:9,} B", ""
    if "said_work" in found:
        seconds, wrong = found["seconds"] / slowness(), verdict(name, found)
        if seconds > found["said_work"]:
            wrong = "LONGER THAN SAID"
        text += f"  {found['memory'] / 1e6:7.0f} of {found['said_memory'] / 1e6:7.0f} MB"
        text += f"  {seconds:7.2f} of {found['said_work']:7.2f} s {wrong} {found['outcome'][:40]}"
    text += f"  refused: {refusal['memory'] / 1e6:.0f} MB, {refusal['seconds']:.3f} s, {refusal['outcome'][:60]}"
    return text, not wrong


def main(names: list[str]) -> int:
    import tempfile

    n_wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names or BOMBS:
            line, is_right = row(name, quickest(BOMBS[name](), Path(folder)))
            n_wrong += not is_right
            print(line, flush=True)
    return int(n_wrong > 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        sys.exit(main(sys.argv[1:]))
