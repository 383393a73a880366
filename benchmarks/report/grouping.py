"""Records in groups: what may be compared with what, and which runs are of one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.paper import published
from benchmarks.paper.arms import ARMS
from benchmarks.records.store import Row
from benchmarks.report.estimates import Ratio, mean_ratio


class ImageKey(NamedTuple):
    """The picture that a run is of, and the seed of its weights and permutation."""

    dataset: str
    image: str
    seed: int = 0

    @property
    def title(self) -> str:
        """For people; the usual seed goes without saying."""
        return f"{self.dataset} {self.image}" + (f", seed {self.seed}" if self.seed else "")


Arms = dict[str, Row]
"""The runs of one picture by transform."""


class Choice(NamedTuple):
    """A setting that the paper leaves open.

    Attributes:
        usual: the value that goes without saying, and that records without this setting had.
        words: for people, by value; `{}` stands for any other one.
    """

    usual: object
    words: dict[object, str]


CHOICES = {
    "loss": Choice("l2", {"relative-l2": "relative L2", "{}": "loss {}"}),
    "growth": Choice(0.0, {"{}": "growth {}"}),
    "table": Choice(24, {"{}": "table 2^{}"}),
    "entries": Choice(1e-4, {"{}": "entries within {}"}),
    "adam": Choice("field", {"usual": "usual Adam", "{}": "Adam {}"}),
    "optimiser": Choice("adam", {"muon": "Muon", "soap": "SOAP", "kfac": "K-FAC", "{}": "{}"}),
    "engine": Choice("numba", {"plain": "in plain PyTorch", "{}": "{}"}),
    "halvings": Choice(0, {"1": "rates halved once", "{}": "rates halved {} times"}),
}
"""By their keys in records. Most are of Instant-NGP; the last one is of the search for the best rate.

Of engines, only plain PyTorch counts, and only for what others fit as well: it begins with other weights.
"""


@dataclass(frozen=True, order=True)
class Setup:
    """What the runs of a fit to a PSNR must share to be compared; of the studies "paper" and "dynamics".

    Attributes:
        width: of a SIREN; 0 for ngp.
        choices: names and values of `CHOICES` that are not the usual ones, in that order.
    """

    field: str
    side: int
    width: int
    precision: str
    target_db: float
    max_steps: int
    choices: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, row: Row) -> Setup:
        row = {**row, "engine": _weights(row)}
        chosen = ((name, row.get(name, choice.usual), choice.usual) for name, choice in CHOICES.items())
        choices = tuple((name, text_of(value)) for name, value, usual in chosen if value not in (usual, None))
        return cls(
            row["field"], row["side"], row["width"], row["precision"], row["target_db"], row["max_steps"], choices
        )

    @property
    def place(self) -> tuple[int, int, int, Setup]:
        """To sort by: SIREN before Instant-NGP, small pictures before large ones, the usual before the unusual."""
        known = list(FIELDS)
        field = known.index(self.field) if self.field in known else len(known)
        return field, self.side, len(self.chosen), self

    @property
    def family(self) -> str:
        """The field for people, without its size."""
        return family_of(self.field)

    @property
    def chosen(self) -> list[str]:
        """What is not usual, but for the PSNR and the limit of steps, for people."""
        found = [words.get(value, words["{}"]).format(value) for words, value in self._worded]
        return [*found, *([self.precision] if self.precision != "fp32" else [])]

    @property
    def _worded(self) -> list[tuple[dict[object, str], str]]:
        return [(CHOICES[name].words, value) for name, value in self.choices]

    @property
    def title(self) -> str:
        """For people, with what is not the paper's protocol anyway."""
        parts = [self.family + (f" {self.width} wide" if self.width else ""), f"{self.side} x {self.side}"]
        parts += self.chosen if self.precision != "fp32" else [self.precision, *self.chosen]
        return ", ".join([*parts, *self.limits])

    @property
    def limits(self) -> list[str]:
        """The PSNR and the limit of steps, where they are not the paper's, for people."""
        parts = [f"to {self.target_db:g} dB"] if self.target_db != published.TARGET_DB else []
        return parts + ([f"at most {self.max_steps:,} steps"] if self.max_steps != published.MAX_STEPS else [])

    @property
    def name(self) -> str:
        """For file names and links."""
        parts = [self.field, f"w{self.width}" if self.width else "", str(self.side), self.precision]
        parts += [f"{self.target_db:g}db" if self.target_db != published.TARGET_DB else ""]
        parts += [f"max{self.max_steps}" if self.max_steps != published.MAX_STEPS else ""]
        parts += [f"{name}-{value}" for name, value in self.choices]
        return "-".join(part for part in parts if part).replace(".", "_")


def _weights(row: Row) -> str:
    """The engine as far as it matters: "plain" where others fit the same, and begin with other weights."""
    both = row["field"] in ("siren", "ngp") and row.get("optimiser", "adam") == "adam"
    return "plain" if both and row.get("engine") == "plain" else "numba"


def text_of(value: object) -> str:
    """Of a setting, without the .0 of whole numbers."""
    return f"{value:g}" if isinstance(value, float) else f"{value}"


FIELDS = {
    "siren": "SIREN", "ngp": "Instant-NGP", "ffn": "Fourier features", "finer": "FINER", "hash-grid": "hash grid",
    "wire": "WIRE",
}  # fmt: skip
"""What people call the fields of the paper's protocol."""


def family_of(field: str) -> str:
    """What people call a field of the paper's protocol."""
    return FIELDS.get(field, field)


def asked_field(row: Row) -> str:
    """The `--field` of an encode. Records without the family that it led to say "ngp" for what is "auto" today."""
    return "auto" if row["field"] == "ngp" and "family" not in row else row["field"]


def used_family(row: Row) -> str:
    """The family that made a file. Records without it are older than the name `table`, and call the rest "ngp"."""
    moved = "rpp" in row["transform"] or "zigzag" in row["transform"]
    old = "table" if moved else "wavelet"
    return row.get("family") or (old if row["field"] == "ngp" else row["field"])


def setups(rows: Iterable[Row], *studies: str) -> dict[Setup, list[Row]]:
    """The rows of some studies ("paper" if none is named) by set-up, in a fixed order of set-ups."""
    found: dict[Setup, list[Row]] = {}
    for row in rows:
        if row["study"] in (studies or ("paper",)):
            found.setdefault(Setup.of(row), []).append(row)
    return dict(sorted(found.items(), key=lambda item: item[0].place))


def by_image(rows: Iterable[Row]) -> dict[ImageKey, Arms]:
    """The rows of one set-up by picture, seed and transform, sorted; of several that are alike, the last one."""
    found: dict[ImageKey, Arms] = {}
    for row in rows:
        key = ImageKey(row["dataset"], row["image"], row.get("seed", 0))
        found.setdefault(key, {})[row["transform"]] = row
    return dict(sorted(found.items()))


def by_dataset(images: dict[ImageKey, Arms]) -> dict[str, list[Arms]]:
    """The pictures of each dataset; those of the paper first, in its order."""
    found: dict[str, list[Arms]] = {}
    for key, arms in images.items():
        found.setdefault(key.dataset, []).append(arms)
    return {name: found[name] for name in sorted(found, key=dataset_place)}


def dataset_place(dataset: str) -> tuple[int, str]:
    """To sort by: the paper's datasets in its order, then others by name."""
    known = published.dataset(dataset)
    return published.DATASETS.index(known) if known else len(published.DATASETS), dataset


def known_first(groups: Iterable[Iterable[str]]) -> list[str]:
    """The transforms in any of the groups: those of the paper in its order, then others."""
    names = {name for group in groups for name in group}
    return [name for name in ARMS if name in names] + sorted(names - set(ARMS))


def having(images: dict[ImageKey, Arms], transforms: Iterable[str], *keys: str) -> dict[ImageKey, Arms]:
    """The pictures that were run with all of these transforms, and have these results for each of them."""
    wanted = tuple(transforms)
    return {
        image: arms
        for image, arms in images.items()
        if all(name in arms and all(key in arms[name] for key in keys) for name in wanted)
    }


def accelerations(images: Iterable[Arms], transform: str) -> list[Ratio]:
    """Steps with "none" over steps with a transform, of the pictures that have both runs; of several seeds the mean.

    A search in which no rate arrived counts with the cap, even if its runs ended earlier because they diverged.
    """
    both = [each for each in images if "none" in each and transform in each]
    return mean_by_picture((each, Ratio.of(*_cost(each["none"]), *_cost(each[transform]))) for each in both)


def mean_by_picture(ratios: Iterable[tuple[Arms, Ratio]]) -> list[Ratio]:
    """One ratio for each picture: of several seeds the mean."""
    found: dict[tuple[str, str], list[Ratio]] = {}
    for arms, ratio in ratios:
        found.setdefault((arms["none"]["dataset"], arms["none"]["image"]), []).append(ratio)
    return [mean_ratio(each) for each in found.values()]


def picture_means(images: Iterable[Arms], value: Callable[[Arms], float | None]) -> list[float]:
    """A value for each picture: of several seeds the mean. Pictures for which it is None are left out."""
    found: dict[tuple[str, str], list[float]] = {}
    for arms in images:
        known, any_row = value(arms), next(iter(arms.values()))
        if known is not None:
            found.setdefault((any_row["dataset"], any_row["image"]), []).append(known)
    return [sum(each) / len(each) for each in found.values()]


def _cost(row: Row) -> tuple[int, bool]:
    return (row["steps"], True) if row["reached"] else (row["max_steps"], False)
