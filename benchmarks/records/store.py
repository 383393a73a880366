"""Records: one JSON line a run, with everything that is needed to repeat it; and files of them that can be resumed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from threadpoolctl import threadpool_info

from benchmarks.data.pictures import Bytes
from nfcodec import __version__
from nfcodec.workers import n_threads

try:
    import fcntl
except ImportError:
    fcntl = None

Row = dict[str, Any]


@dataclass(frozen=True)
class Job(ABC):
    """Something to run on one picture. The fields of a job, all JSON values, are what it takes to repeat it.

    Attributes:
        dataset, image: names, for people.
        sha256: of the picture's file.
    """

    dataset: str
    image: str
    sha256: str

    study: ClassVar[str]

    @property
    def key(self) -> str:
        """Identifies a run: a hash of all settings but the names, and but those at their defaults.

        So a setting that is added later, with a default, leaves the keys of old records as they are.
        """
        defaults = {field.name: field.default for field in fields(self)}
        settings = {name: value for name, value in asdict(self).items() if value != defaults[name]}
        settings = {"study": self.study, **settings, "dataset": "", "image": ""}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    @abstractmethod
    def load(self, path: Path) -> Bytes:
        """Read and prepare the picture; done where the pictures are, not where the job runs."""

    @abstractmethod
    def run(self, picture: Bytes) -> Row:
        """Do the work: JSON values only."""

    @property
    def companions(self) -> object:
        """Jobs for which this is equal and not None run better in one call of `run_together`."""
        return None

    @classmethod
    def run_together(cls, jobs: Sequence[Any], pictures: Sequence[Bytes]) -> list[Row]:
        """Do the work of several jobs, all of this class."""
        return [job.run(picture) for job, picture in zip(jobs, pictures, strict=True)]


def run_jobs(jobs: Sequence[Job], pictures: Sequence[Bytes], commit: str) -> list[Row]:
    """The records of jobs of one study: key, settings, results, surroundings."""
    results = type(jobs[0]).run_together(jobs, pictures)
    made = made_here(commit)
    return [
        {"key": job.key, "study": job.study, **asdict(job), **result, **made}
        for job, result in zip(jobs, results, strict=True)
    ]


def made_here(commit: str) -> Row:
    """What a record says of where and by what it was made."""
    return {**surroundings(), "load": load(), "commit": commit}


@cache
def surroundings() -> Mapping[str, Any]:
    """What figures were taken on and with."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), model)
    return {
        "processor": model, "system": platform.system(), "threads": n_threads(), "python": platform.python_version(),
        "blas": _blas(),
        "nfcodec": __version__,  # a Ray cluster has the package alone, which is no installed distribution
        **{name: version(name) for name in ("numpy", "torch", "numba")},
    }  # fmt: skip


def _blas() -> str:
    """Libraries of matrix products, with the kernels that they chose: these may differ by a factor of two."""
    loaded = [each for each in threadpool_info() if each["user_api"] == "blas"]
    return ", ".join(
        f"{each['internal_api']} {each['version']} {each.get('architecture', '')}".strip() for each in loaded
    )


def load() -> float | None:
    """Threads that wanted to run on this machine, mean over the last minute, ours among them; None if unknown.

    More of them than a run had itself says that the machine did other work, too: its seconds mean little.
    """
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


MODULES = (":/nfcodec/*.py", ":/benchmarks/*.py")
"""For git: the code that makes records."""


def commit() -> str:
    """The commit that runs, with a + where files differ from it or modules are new; empty outside a repository."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "-uno") or git("ls-files", "-o", "--exclude-standard", *MODULES) else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return ""


class Store:
    """A file of records, appended to row by row. A last line that an interruption cut short is dropped.

    Several programs may append to one file at a time. Each runs what the file lacked when it started, so give them
    different jobs. Without a file it only remembers the keys.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.keys = {row["key"] for row in read(path)} if path and path.exists() else set()

    @property
    def is_kept(self) -> bool:
        """Whether there is a file."""
        return self._path is not None

    def append(self, row: Row) -> None:
        """Write one record through to the disk."""
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a+b") as file, _alone(file):
                _drop_cut_line(file)
                file.write(json.dumps(row).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self.keys.add(row["key"])


@contextmanager
def _alone(file: BinaryIO) -> Generator[None]:
    """While this lasts, other programs that want the same wait. Windows has no such locks; there nobody waits."""
    if fcntl is None:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _drop_cut_line(file: BinaryIO) -> None:
    file.seek(0)
    whole = file.read()
    if not whole.endswith(b"\n"):
        file.truncate(whole.rfind(b"\n") + 1)


REQUIRED = ("key", "study", "sha256", "commit", "processor")
"""What every record has: which run it is, of which picture, and which code on which machine made it."""


def read(*paths: Path) -> Iterator[Row]:
    """The records of some files, and of all `.jsonl` files in some folders, each key once: the last one counts.

    Raises:
        ValueError: a line is damaged, or a folder has no files of records.
    """
    rows: dict[str, Row] = {}
    for path in _files(paths):
        text = path.read_text(encoding="utf-8")
        complete, _, _ = text.rpartition("\n")
        for number, line in enumerate(complete.splitlines(), 1):
            try:
                row = json.loads(line)
                rows[row["key"]] = {name: row[name] for name in REQUIRED} | row
            except (ValueError, KeyError, TypeError) as error:
                expected = f"a record has {', '.join(REQUIRED)}"
                raise ValueError(f"{path}, line {number}: not a record; {expected}") from error
    yield from rows.values()


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.glob("*.jsonl"))
            if not found:
                raise ValueError(f"{path}: no files of records (*.jsonl)")
            yield from found
        else:
            yield path
