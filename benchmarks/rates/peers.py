"""nfcodec at the very PSNRs that another codec has published for each picture, so that nothing is interpolated.

A peer is a codec whose points others published for each of the Kodak pictures (published_kodak_pictures.json). Each
file of ours goes for the PSNR of one of these points, and its bits are held against those of the point.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from benchmarks.data.pictures import Bytes, prepared
from benchmarks.rates.encode_table import ours_as_processes
from benchmarks.rates.measures import measures
from benchmarks.rates.qualities import like
from benchmarks.records.store import Job, Row
from nfcodec.errors import UsageError
from nfcodec.metrics import psnr_db

LOWEST_DB = 27.0
"""Points of a lower PSNR are left out of all means; they are only run where somebody asks for them."""


@dataclass(frozen=True)
class Point:
    """What a peer has published for a picture at one of its settings.

    Attributes:
        number: from 1, the lowest rate, on.
        setting: of the peer, in its own terms.
        bpp: bits a pixel of its file.
        psnr_db: over all RGB samples at 8 bits.
    """

    number: int
    setting: str
    bpp: float
    psnr_db: float


@cache
def _published() -> dict[str, dict[str, Any]]:
    data = json.loads(Path(__file__).with_name("published_kodak_pictures.json").read_text(encoding="utf-8"))
    return {name.lower().replace(" ", "-"): {"title": name, **each} for name, each in data.items()}


def peers() -> dict[str, str]:
    """The peers: their names on the command line and in records, and those for people."""
    return {name: each["title"] for name, each in _published().items()}


@cache
def settings_of(peer: str) -> tuple[str, ...]:
    """The settings at which a peer has points, from the lowest rate on."""
    return tuple(_published()[peer]["settings"])


@cache
def points_of(peer: str) -> dict[str, tuple[Point, ...]]:
    """The points of a peer by picture, from the lowest rate on."""
    found: dict[str, tuple[Point, ...]] = {}
    for image, (rates, psnrs_db) in _published()[peer]["pictures"].items():
        columns = zip(settings_of(peer), rates, psnrs_db, strict=True)
        found[image] = tuple(Point(number, *column) for number, column in enumerate(columns, 1))
    return found


def counted_points(peer: str) -> dict[str, set[int]]:
    """The numbers of the points of each picture that count, as their PSNR is not too low."""
    return {
        image: {point.number for point in points if point.psnr_db >= LOWEST_DB}
        for image, points in points_of(peer).items()
    }


@dataclass(frozen=True)
class PeerPoint(Job):
    """One picture through `nfcodec encode` and `decode` as whole processes, at the PSNR of a peer's point.

    Attributes:
        peer: a key of `peers`.
        point: its number.
        target_db: the PSNR of that point.
        field, effort, transform, seed: as the command line has them; a record also has the family that was used.
    """

    peer: str
    point: int
    target_db: float
    field: str
    effort: int
    transform: str = "none"
    seed: int = 0

    study: ClassVar[str] = "peer"

    def load(self, path: Path) -> Bytes:
        return np.asarray(prepared(path))

    def run(self, picture: Bytes) -> Row:
        """A file that misses the PSNR is recorded as such; the PSNR is that of the decoded PNG."""
        peer_bpp = points_of(self.peer)[self.image][self.point - 1].bpp
        options = ["--field", self.field, "--transform", self.transform, "--psnr", str(self.target_db)]
        options += ["--effort", str(self.effort), "--seed", str(self.seed), "--best-effort"]
        with tempfile.TemporaryDirectory() as name:
            source = Path(name) / "in.png"
            Image.fromarray(picture).save(source)
            files = ours_as_processes(source, Path(name), options)
            with Image.open(files.decoded) as image:
                decoded = like(picture, image)
        reached_db = psnr_db(picture, decoded, 255)
        measured = {
            **measures(picture, decoded),
            "psnr_db": round(reached_db, 6),
            "reached": reached_db >= self.target_db,
        }
        return {**files.row, **measured, "peer_bpp": peer_bpp, "over_peer": round(files.row["bpp"] / peer_bpp, 4)}


def jobs_at(
    peer: str, dataset: str, image: str, sha256: str, *, points: tuple[int, ...], lowest_db: float, **settings: Any
) -> list[PeerPoint]:
    """The files of a picture at a peer's points.

    Args:
        points: numbers of points; none stands for all.
        lowest_db: points of a lower PSNR are left out.
        settings: further attributes of `PeerPoint`.

    Raises:
        UsageError: the peer has no points of that picture, or none with that number.
    """
    if image not in points_of(peer):
        raise UsageError(f"{peers()[peer]} has published no points of {dataset} {image}")
    known = points_of(peer)[image]
    if missing := set(points) - {point.number for point in known}:
        raise UsageError(f"{peers()[peer]} has points 1 to {len(known)}, but no point {min(missing)}")
    wanted = [point for point in known if point.psnr_db >= lowest_db and (not points or point.number in points)]
    return [PeerPoint(dataset, image, sha256, peer, point.number, point.psnr_db, **settings) for point in wanted]
