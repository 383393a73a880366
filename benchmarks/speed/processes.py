"""Whole processes that encode and decode one picture at one quality: nfcodec beside AVIF and WebP.

Everyone starts from a PNG and ends in one. nfcodec runs as its command line, the others as a program that imports
Pillow alone: start-up, and reading and writing PNG, count for all alike. The contestants take turns. Seconds are also
given in units, the time that 1 TFLOP of fp32 matrix products takes on all cores of the machine, measured before the
first turn, between turns and after the last; so figures of different machines can be compared.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from benchmarks.data.pictures import Bytes, prepared
from benchmarks.rates.codecs import LOSSY, Lossy, avif
from benchmarks.rates.qualities import like, nearest_quality
from benchmarks.records.measured import Measured, nfcodec_process, process
from benchmarks.records.store import Job, Row
from benchmarks.speed.workloads import fp32_rate
from nfcodec.metrics import psnr_db
from nfcodec.workers import n_threads

UNIT_FLOPS = 1e12

RIVALS: dict[str, Lossy] = {
    "webp": LOSSY["webp"],
    "avif-8": avif(8),
    "avif-4": avif(4),
    "avif-0": avif(0),
}
"""By name, AVIF at speeds 8, 4 and 0; a search for a quality begins where that of the one before ended."""

WARM_UP_SIDE = 64
PNG = {"compress_level": 3}
"""How Pillow writes what it decoded: as nfcodec does."""


@dataclass(frozen=True)
class CodecSpeed(Job):
    """Contestants on one picture; of each there is a row in the record's `rows`.

    `busy` there is the share of all cores that ran: CPU seconds / (seconds * cores).

    Attributes:
        fields, efforts: nfcodec runs with each of the fields at each of the efforts.
        rivals: keys of `RIVALS`.
        target_db: nfcodec's PSNR; a rival's is the nearest that it has.
        rounds: in each of them every contestant encodes and decodes once.
    """

    fields: tuple[str, ...]
    efforts: tuple[int, ...]
    rivals: tuple[str, ...]
    target_db: float
    rounds: int
    part: str = "codec"

    study: ClassVar[str] = "speed"

    def load(self, path: Path) -> Bytes:
        return np.asarray(prepared(path))

    def run(self, picture: Bytes) -> Row:
        contestants: list[Contestant] = [
            Ours(field, effort, self.target_db) for field in self.fields for effort in self.efforts
        ]
        contestants += rivals_at(picture, self.target_db, self.rivals)
        return measured(picture, contestants, self.rounds)


class Contestant(ABC):
    """An encoder and its decoder as whole processes.

    Attributes:
        name: for people.
        quality: the setting of a rival.
    """

    name: str
    quality: int | None = None

    @abstractmethod
    def encode(self, source: Path, out: Path) -> Measured:
        """A PNG to a file."""

    @abstractmethod
    def decode(self, file: Path, back: Path) -> Measured:
        """The file to a PNG."""


class Ours(Contestant):
    """nfcodec with a field at an effort."""

    def __init__(self, field: str, effort: int, target_db: float) -> None:
        self.name = f"nfcodec {field}, effort {effort}"
        self._options = ["--field", field, "--effort", str(effort), "--psnr", str(target_db)]

    def encode(self, source: Path, out: Path) -> Measured:
        return nfcodec_process(["encode", str(source), str(out), "-f", "-q", *self._options])

    def decode(self, file: Path, back: Path) -> Measured:
        return nfcodec_process(["decode", str(file), str(back), "-f", "-q"])


class Theirs(Contestant):
    """A rival at a quality."""

    def __init__(self, name: str, quality: int) -> None:
        self.name, self.quality = name, quality
        self._options = dict(RIVALS[name].at(quality).options)

    def encode(self, source: Path, out: Path) -> Measured:
        return process("benchmarks.rates.rival_process", [str(source), str(out), json.dumps(self._options)])

    def decode(self, file: Path, back: Path) -> Measured:
        return process("benchmarks.rates.rival_process", [str(file), str(back), json.dumps(PNG)])


def rivals_at(picture: Bytes, target_db: float, names: Sequence[str]) -> Iterator[Theirs]:
    """The rivals, each at the quality whose PSNR is nearest to the target."""
    near: dict[str, int] = {}
    for name in [each for each in RIVALS if each in names]:
        kind = name.partition("-")[0]
        near[kind] = nearest_quality(picture, target_db, RIVALS[name], near.get(kind))
        yield Theirs(name, near[kind])


def measured(picture: Bytes, contestants: Sequence[Contestant], rounds: int) -> Row:
    """A row for each contestant, with medians over rounds, and what a unit was."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, small = folder / "in.png", folder / "small.png"
        Image.fromarray(picture).save(source)
        prepared(Image.fromarray(picture), crop=min(WARM_UP_SIDE, *picture.shape[:2])).save(small)
        turns = [
            _Turns(contestant, folder / f"{i}.out", folder / f"{i}.png") for i, contestant in enumerate(contestants)
        ]
        for each in turns:
            each.warm_up(small)
        units = [UNIT_FLOPS / fp32_rate()]
        for _ in range(rounds):
            for each in turns:
                each.take(source)
                units.append(UNIT_FLOPS / fp32_rate())
        unit = statistics.median(units)
        height, width = picture.shape[:2]
        found = {"unit_seconds": unit, "cores": n_threads(), "megapixels": height * width / 1e6}
        return {**found, "rows": [each.row(picture, unit) for each in turns]}


class _Turns:
    """What one contestant did in its turns, and the files it made in the last one."""

    def __init__(self, contestant: Contestant, out: Path, back: Path) -> None:
        self._contestant, self._out, self._back = contestant, out, back
        self._encodes: list[Measured] = []
        self._decodes: list[Measured] = []

    def warm_up(self, small: Path) -> None:
        """Of a small picture, not measured: kernels are compiled now, and programs are in the system's cache."""
        self._contestant.encode(small, self._out)
        self._contestant.decode(self._out, self._back)

    def take(self, source: Path) -> None:
        self._encodes.append(self._contestant.encode(source, self._out))
        self._decodes.append(self._contestant.decode(self._out, self._back))

    def row(self, picture: Bytes, unit: float) -> Row:
        """Medians, in seconds and in units; of memory the most."""
        with Image.open(self._back) as image:
            psnr = psnr_db(picture, like(picture, image), 255)
        row: Row = {"contestant": self._contestant.name, "quality": self._contestant.quality}
        row |= {"bytes": self._out.stat().st_size, "psnr_db": round(psnr, 4)}
        for verb, runs in (("encode", self._encodes), ("decode", self._decodes)):
            seconds = statistics.median(run.seconds for run in runs)
            row |= {f"{verb}_seconds": seconds, f"{verb}_units": seconds / unit}
            row[f"{verb}_cpu_seconds"] = statistics.median(run.cpu_seconds for run in runs)
            row[f"{verb}_busy"] = statistics.median(run.cpu_seconds / (run.seconds * n_threads()) for run in runs)
            row[f"{verb}_MB"] = max(run.megabytes for run in runs)
        return row
