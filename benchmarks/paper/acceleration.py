"""What a transform buys: the steps and seconds to a PSNR, against fitting the picture as it is (the paper's Table 1).

The paper's protocol: real numbers in linear light, one gray channel, unclamped PSNR, full-batch Adam at the best of a
grid of learning rates for each picture and transform.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from benchmarks.data.pictures import Bytes, square
from benchmarks.paper import published
from benchmarks.paper.arms import arm
from benchmarks.paper.candidates import CANDIDATES
from benchmarks.paper.programs import EngineProgram, Program, Run
from benchmarks.paper.race import EARLY, Entry, Outcome, best_rate, bracket, ended_too_early, whole
from benchmarks.paper.settings import Settings, unusual
from benchmarks.paper.stacked import StackedSiren
from benchmarks.plain.device import check_device
from benchmarks.plain.program import PlainProgram
from benchmarks.records.progress import SearchState, tell
from benchmarks.records.store import Job, Row
from nfcodec.errors import UsageError
from nfcodec.fields import Ngp, Siren

RATES: dict[str, tuple[int, ...]] = {"siren": tuple(range(-8, -17, -1)), "ngp": tuple(range(-4, -16, -1))}
"""log2 of the paper's learning rates."""

ARMS_ON_TRIAL = ("rpp", *CANDIDATES)
"""For the search for better transforms; importing them here lets every worker know them."""


def first_rate(field: str, width: int) -> int:
    """log2 of a rate to begin the search with: 2^-9 for a SIREN 128 wide, and less for wider ones."""
    return -6 if field == "ngp" else min(RATES["siren"][0], -round(math.log2(width)) - 2)


PLAIN, STACKED = "plain", "stacked"
"""Engines that are none of the codec's: any field under any optimiser in PyTorch; and SIRENs in batched products."""

MILESTONES_DB = (20, 25, 30, 35, 40, 45, 50)

CURVE_POINTS = 40

SHOWN = 4
"""Runs of a search whose PSNR a progress line has."""


@dataclass(frozen=True)
class Fit(Settings, Job):
    """The paper's protocol for one picture and one transform.

    Attributes:
        side: of the square that is fitted.
        field: "siren" (3 hidden layers) or "ngp" (Instant-NGP's image default, largest table); or a field in plain
            PyTorch.
        width: of a SIREN, and of fields in plain PyTorch; 0 for ngp.
        log2_rates: learning rates.
        engine: one of the codec's, or `STACKED` or `PLAIN`.
        halvings: how often the distance between rates is halved around the best one.
    """

    side: int
    field: str
    width: int
    transform: str
    seed: int = 0
    target_db: float = published.TARGET_DB
    max_steps: int = published.MAX_STEPS
    log2_rates: tuple[float, ...] = ()
    engine: str = "numba"
    device: str = "cpu"
    halvings: int = 0

    @property
    def model(self) -> Siren | Ngp:
        return self.field_of(self.field, self.side, self.width)

    @property
    def name(self) -> str:
        """For people."""
        seed = [f"seed {self.seed}"] if self.seed else []
        return ", ".join([f"{self.image} {self.transform}", *seed, *unusual(asdict(self))])

    def load(self, path: Path) -> Bytes:
        return square(path, self.side)

    def check(self) -> None:
        """See that there can be a program, on a machine that may be another one.

        Raises:
            UsageError: the engine has no such fit, or PyTorch knows no such device.
        """
        if self.engine == PLAIN and (self.precision, self.adam) != ("fp32", "field"):
            raise UsageError("fits in plain PyTorch are in fp32, with the constants of Adam that suit the field")
        if self.engine == STACKED and (self.field != "siren" or not self.is_usual):
            raise UsageError("batched matrix products are for SIREN in fp32, with its own Adam and the L2 loss")
        if self.engine in (STACKED, PLAIN):
            try:
                torch.device(self.device)
            except RuntimeError as error:
                raise UsageError(f"PyTorch knows no device {self.device!r}") from error

    def program(self, runs: Sequence[Run], *, ahead: bool = False) -> Program:
        """These runs, not yet begun; `ahead` as for `EngineProgram`."""
        self.check()
        if self.engine in (STACKED, PLAIN, "torch"):
            check_device(self.device)
        if self.engine == PLAIN:
            return PlainProgram(self.field, self.optimiser, self.loss, self.width, runs, self.seed, self.device)
        if self.engine == STACKED:
            return StackedSiren(Siren(self.width), self.side, runs, self.seed, self.device)
        return EngineProgram(
            self.model, self.side, runs, self.seed, table_bound=self.entries, objective=self.objective,
            loss=self.rounded_loss, adam=self.constants(self.side), engine=self.engine, device=self.device,
            ahead=ahead,
        )  # fmt: skip


@dataclass(frozen=True)
class Search(Fit):
    """The search for the best of the learning rates.

    Attributes:
        first_log2_rate: where the bracket starts (this rate and the next lower one); None races the whole grid.
    """

    first_log2_rate: int | None = None

    study: ClassVar[str] = "paper"

    @property
    def grid(self) -> list[float]:
        """log2 of all rates that may be tried: those of `log2_rates`, and those between them."""
        places = np.arange((len(self.log2_rates) - 1) * 2**self.halvings + 1) / 2**self.halvings
        return np.interp(places, np.arange(len(self.log2_rates)), self.log2_rates).tolist()

    @property
    def companions(self) -> object:
        """Searches of one shape share a program of batched products."""
        if self.engine != STACKED:
            return None
        same = replace(self, dataset="", image="", sha256="", transform="none")
        return asdict(same)

    def run(self, picture: Bytes) -> Row:
        return self.run_together([self], [picture])[0]

    @classmethod
    def run_together(cls, jobs: Sequence[Search], pictures: Sequence[Bytes]) -> list[Row]:
        """One race for each job; all races in one program where the engine stacks runs."""
        if jobs[0].engine != STACKED and len(jobs) > 1:
            return [job.run(picture) for job, picture in zip(jobs, pictures, strict=True)]
        found = cls._outcomes(jobs, pictures)
        return [job.result(outcomes) for job, outcomes in zip(jobs, found, strict=True)]

    @classmethod
    def _outcomes(
        cls,
        jobs: Sequence[Search],
        pictures: Sequence[Bytes],
        known: Sequence[Mapping[int, Outcome]] = (),
        early: float = EARLY,
    ) -> list[dict[int, Outcome]]:
        """For each job the outcomes by number of the rate; `known` and `early` as for `bracket`."""
        one, grid = jobs[0], jobs[0].grid
        arms = [arm(job.transform, picture, job.seed) for job, picture in zip(jobs, pictures, strict=True)]
        name = one.name if len(jobs) == 1 else f"{one.name} and {len(jobs) - 1} more"

        def start(entries: Sequence[Entry]) -> Program:
            return one.program([Run(arms[race], 2.0 ** grid[rate]) for race, rate in entries], ahead=True)

        def watch(step: int, most: int, psnrs: Mapping[Entry, float]) -> None:
            runs = ", ".join(f"2^{grid[rate]:g} {psnr_db:.1f} dB" for (_, rate), psnr_db in list(psnrs.items())[:SHOWN])
            tell(SearchState(name, runs, step, most))

        if one.first_log2_rate is None:
            return whole(start, len(jobs), len(grid), one.target_db, one.max_steps, watch)
        first, stride = grid.index(one.first_log2_rate), 2**one.halvings
        return bracket(start, len(jobs), len(grid), first, one.target_db, one.max_steps, watch, stride, known, early)

    @classmethod
    def of(cls, row: Row) -> Search:
        """The search that a record is of.

        Raises:
            ValueError: it is not of a search, or of one with settings that are gone.
        """
        settings = {field.name: row[field.name] for field in fields(cls) if field.name in row}
        if row["study"] == cls.study:
            search = cls(**{**settings, "log2_rates": tuple(row["log2_rates"])})
            if search.key == row["key"]:
                return search
        raise ValueError(f"record {row['key']} is of no search that this version knows")

    def rechecked(self, row: Row, picture: Bytes, early: float = EARLY) -> Row:
        """The results of this search, given its record: rates that it gave up too early are run again.

        They run against the record's curve, of which there are some points, with straight lines between. If one of
        them arrives earlier, the search goes on from there.

        Args:
            early: the share of the record's steps before which none is to be given up.
        """
        doubted = doubtful(row, early)
        rates = {self.grid.index(run["log2_rate"]): run for run in row["runs"] if run not in doubted}
        known = {
            rate: Outcome(run["steps"], run["psnr_db"], run["ending"], run["seconds"], [run["psnr_db"]])
            for rate, run in rates.items()
        }
        old_best = self.grid.index(row["log2_rate"])
        steps, psnrs_db = zip(*row["curve"], strict=True)
        curve = np.interp(np.arange(row["steps"] + 1), steps, psnrs_db).tolist()
        known[old_best] = replace(known[old_best], curve=curve)
        found = self._outcomes([self], [picture], [known], early)[0]
        result = self.result(found)
        return result if best_rate(found) != old_best else {"runs": result["runs"]}

    def result(self, outcomes: Mapping[int, Outcome]) -> Row:
        """The results of a search, for a record."""
        runs = [
            {
                "log2_rate": whole_if_it_is(self.grid[rate]), "ending": each.ending, "steps": each.steps,
                "psnr_db": rounded(each.psnr_db), "seconds": round(each.seconds, 3),
            }
            for rate, each in sorted(outcomes.items())
        ]  # fmt: skip
        best = best_rate(outcomes)
        if best is None:
            return {"reached": False, "runs": runs, "steps": max(each.steps for each in outcomes.values())}
        winner = outcomes[best]
        return {
            "reached": True, "runs": runs, "steps": winner.steps, "seconds": round(winner.seconds, 3),
            "log2_rate": whole_if_it_is(self.grid[best]), "milestones": milestones(winner.curve),
            "curve": thinned(winner.curve),
        }  # fmt: skip


def doubtful(row: Row, early: float = EARLY) -> list[Row]:
    """The runs in the record of a search that one with this share would not have ended where they did."""
    if not row["reached"]:
        return []
    return [run for run in row.get("runs", ()) if ended_too_early(run["ending"], run["steps"], row["steps"], early)]


def whole_if_it_is(number: float) -> float:
    """A number as JSON has it, without the .0 of a whole one."""
    return int(number) if number == int(number) else number


def milestones(curve: list[float]) -> dict[str, int]:
    """The first step at which each round PSNR was reached."""
    reached = {str(db): next((i for i, psnr in enumerate(curve) if psnr >= db), None) for db in MILESTONES_DB}
    return {db: step for db, step in reached.items() if step is not None}


def thinned(curve: list[float]) -> list[list[float]]:
    """Some points (step, PSNR) of a curve, evenly spaced in the logarithm of the step, first and last included."""
    last = len(curve) - 1
    steps = np.unique(np.geomspace(1, last + 1, CURVE_POINTS).round().astype(int)) - 1
    return [[int(step), rounded(curve[step])] for step in steps]


def rounded(psnr_db: float) -> float:
    """For a record: JSON has no infinities."""
    return round(min(max(psnr_db, -999.0), 999.0), 3)
