"""The pictures that are measured: folders found and honestly labelled, the standard datasets downloaded and verified.

datasets.json, the manifest, names each dataset's addresses, sizes and SHA-256. No picture is distributed with nfcodec.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.data.downloads import Progress, Remote, check_space, extract, fetch, part_of, sha256_of, size_of
from nfcodec.errors import UsageError, WriteError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class Dataset:
    """An entry of the manifest; it lists either its pictures or archives of them.

    Attributes:
        licence: what its owners permit.
        n_images: number of pictures when complete.
        min_side: the paper leaves out pictures with a side of fewer pixels.
    """

    name: str
    title: str
    homepage: str
    licence: str
    n_images: int
    images: tuple[Remote, ...] = ()
    archives: tuple[Remote, ...] = ()
    min_side: int | None = None


@dataclass(frozen=True)
class Picture:
    """An image file; `dataset` is the name of the set it belongs to."""

    dataset: str
    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def sha256(self) -> str:
        return sha256_of(self.path)


@dataclass(frozen=True)
class PictureSet:
    """The pictures of a folder, sorted by name; `label` says what they honestly are."""

    name: str
    label: str
    pictures: tuple[Picture, ...]


def manifest() -> dict[str, Dataset]:
    """The datasets that can be downloaded, by name."""
    entries: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("datasets.json").read_text("utf-8"))
    for entry in entries.values():
        for kind in ("images", "archives"):
            entry[kind] = tuple(Remote(**remote) for remote in entry.get(kind, []))
    return {name: Dataset(name=name, **entry) for name, entry in entries.items()}


def data_folder(option: Path | None) -> Path:
    """Where datasets lie: the option, else $NFCODEC_DATA, else nfcodec/data in the user's cache folder."""
    if option is not None:
        return option
    if named := os.environ.get("NFCODEC_DATA"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nfcodec" / "data"


def find(name_or_path: str, data: Path, *, manifest: Mapping[str, Dataset] | None = None) -> PictureSet:
    """The pictures in a folder inside `data`, or in any other folder, and in its subfolders.

    A folder with the name of a dataset is held against the manifest. What is missing or different there is no error;
    the label says so.

    Raises:
        UsageError: there is no such folder, no picture in it, or two pictures have the same name.
    """
    datasets = _datasets(manifest)
    folder = Path(name_or_path)
    if folder.name == name_or_path and name_or_path.strip(".") and (data / folder).is_dir():
        folder = data / folder
    name = Path(os.path.abspath(folder)).name
    pictures = tuple(Picture(name, path) for path in _image_paths(folder))
    if not pictures:
        wanted = name_or_path if name_or_path in datasets else "NAME"
        known = f" (NAME: {', '.join(datasets)})" if wanted == "NAME" else ""
        raise UsageError(
            f"no pictures {name_or_path} in {data}, and no folder of pictures at that path; "
            f"datasets come with: python -m benchmarks download {wanted}{known}"
        )
    repeated = [stem for stem, times in Counter(picture.name for picture in pictures).items() if times > 1]
    if repeated:
        raise UsageError(f"pictures of one set need different names, but {folder} has several of {_some(repeated)}")
    if name in datasets:
        return PictureSet(name, _label(datasets[name], pictures), pictures)
    return PictureSet(name, f"{name}, {_count(len(pictures))}, a folder of the user's", pictures)


def download(name: str, data: Path, *, progress: Progress, manifest: Mapping[str, Dataset] | None = None) -> PictureSet:
    """Fetch what is missing of a dataset into `data`/`name`; an interrupted download goes on where it stopped.

    Raises:
        UsageError: the manifest has no such dataset.
        DownloadError: the source cannot be reached, or its file is not the one that the manifest describes.
        WriteError: the disk is too full, or there is a folder of that name that no download of an archive can complete.
    """
    datasets = _datasets(manifest)
    if name not in datasets:
        raise UsageError(f"there is no dataset {name}; there are {', '.join(datasets)}")
    dataset = datasets[name]
    try:
        data.mkdir(parents=True, exist_ok=True)
        (_get_archives if dataset.archives else _get_images)(dataset, data, progress)
    except OSError as error:
        raise WriteError(f"cannot write {error.filename or data}: {error.strerror or error}") from error
    return find(name, data, manifest=datasets)


def without_small(found: PictureSet) -> PictureSet:
    """The set without the pictures that the paper leaves out for a short side; the label names them."""
    dataset = manifest().get(found.name)
    if dataset is None or dataset.min_side is None:
        return found
    small = [picture for picture in found.pictures if _shorter_side(picture.path) < dataset.min_side]
    if not small:
        return found
    names = _some([picture.path.name for picture in small])
    label = f"{found.label}, less {names} with a side under {dataset.min_side}"
    return PictureSet(found.name, label, tuple(picture for picture in found.pictures if picture not in small))


def _shorter_side(path: Path) -> int:
    with Image.open(path) as image:
        return min(image.size)


def _datasets(given: Mapping[str, Dataset] | None) -> Mapping[str, Dataset]:
    return manifest() if given is None else given


def _image_paths(folder: Path) -> list[Path]:
    """Image files in a folder and below, without what is hidden or left over from a Mac's archives."""
    paths = [path for path in folder.rglob("*") if _is_image(path.relative_to(folder).parts) and path.is_file()]
    return sorted(paths, key=lambda path: (path.name, path))


def _is_image(parts: Sequence[str]) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and Path(parts[-1]).suffix.lower() in SUFFIXES


def _label(dataset: Dataset, pictures: Sequence[Picture]) -> str:
    n = len(pictures)
    if not dataset.images:
        return f"{dataset.title}, {n} {'of' if n <= dataset.n_images else 'pictures instead of'} {dataset.n_images}"
    sha256 = {image.name: image.sha256 for image in dataset.images}
    foreign = [picture.path.name for picture in pictures if picture.path.name not in sha256]
    ours = [picture for picture in pictures if picture.path.name in sha256]
    differing = [picture.path.name for picture in ours if picture.sha256 != sha256[picture.path.name]]
    n -= len(foreign) + len(differing)
    label = f"{dataset.title}, {n} of {dataset.n_images}" + (", checksums verified" if n else "")
    if differing:
        label += f"; {_count(len(differing))} not the original: {_some(differing)}"
    if foreign:
        label += f"; {_count(len(foreign))} not of this dataset: {_some(foreign)}"
    return label


def _count(n: int) -> str:
    return f"{n} picture{'' if n == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _get_images(dataset: Dataset, data: Path, progress: Progress) -> None:
    folder = data / dataset.name
    present = {path.name for path in _image_paths(folder)}
    missing = [image for image in dataset.images if image.name not in present]
    folder.mkdir(exist_ok=True)
    check_space(data, sum(image.size_bytes - size_of(part_of(folder / image.name)) for image in missing))
    for image in missing:
        fetch(image, folder / image.name, progress)


def _get_archives(dataset: Dataset, data: Path, progress: Progress) -> None:
    """Fetch all archives, extract all, then give the folder its name; archives that are verified stay until then."""
    folder, work = data / dataset.name, data / f"{dataset.name}.part"
    if folder.exists():
        if len(_image_paths(folder)) == dataset.n_images:
            shutil.rmtree(work, ignore_errors=True)
            return
        if any(folder.iterdir()):
            raise WriteError(f"{folder} exists and is not complete; to download {dataset.title}, rename or remove it")
        folder.rmdir()
    images = work / "images"
    if images.exists():
        shutil.rmtree(images)
    images.mkdir(parents=True)
    targets = [(archive, work / archive.name) for archive in dataset.archives]
    present = sum(size_of(target) + size_of(part_of(target)) for _, target in targets)
    check_space(data, 2 * sum(archive.size_bytes for archive in dataset.archives) - present)  # PNGs do not get smaller
    for archive, target in targets:
        fetch(archive, target, progress)
    for _, target in targets:
        extract(target, images, _is_image)
    os.replace(images, folder)
    shutil.rmtree(work)
