"""The pictures that are measured: folders found and honestly labelled, the standard datasets downloaded and verified.

datasets.json, the manifest, names each dataset's addresses, sizes and SHA-256. No picture is distributed with nfcodec.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import stat
import time
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nfcodec.errors import NfcError, UsageError, WriteError

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"}
TIMEOUT_S = 30.0
FAILURES = 5
"""Broken connections in a row, none bringing anything new, after which a download gives up."""
PAUSE_S = 1.0
"""After the first broken connection; doubles with each further one that brought nothing."""
BLOCK_BYTES = 1 << 16

Progress = Callable[[str, int, int], object]
"""Called with a file's name, the bytes of it that are there, and its size; starting again lowers the second."""


class DownloadError(NfcError):
    """A file cannot be downloaded, or is not the one that the manifest describes."""


class _BrokenError(Exception):
    """The connection failed in a way that may pass."""


@dataclass(frozen=True)
class Remote:
    """A file at its source."""

    url: str
    size_bytes: int
    sha256: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


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
        return _sha256(self.path)


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


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _get_images(dataset: Dataset, data: Path, progress: Progress) -> None:
    folder = data / dataset.name
    present = {path.name for path in _image_paths(folder)}
    missing = [image for image in dataset.images if image.name not in present]
    folder.mkdir(exist_ok=True)
    _check_space(data, sum(image.size_bytes - _size(_part(folder / image.name)) for image in missing))
    for image in missing:
        _fetch(image, folder / image.name, progress)


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
    present = sum(_size(target) + _size(_part(target)) for _, target in targets)
    _check_space(data, 2 * sum(archive.size_bytes for archive in dataset.archives) - present)  # PNGs do not get smaller
    for archive, target in targets:
        _fetch(archive, target, progress)
    for _, target in targets:
        _extract(target, images)
    os.replace(images, folder)
    shutil.rmtree(work)


def _extract(archive: Path, folder: Path) -> None:
    """Write the image files of an archive into a folder, without the archive's own folders."""
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                steps = re.split(r"[/\\:]", member.filename)
                parts = [step for step in steps if step not in ("", ".", "..")]
                kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive does not say
                if parts and not member.is_dir() and kind in (0, stat.S_IFREG) and _is_image(parts):
                    with opened.open(member) as source, open(folder / parts[-1], "xb") as file:
                        shutil.copyfileobj(source, file)
    except FileExistsError as error:
        raise DownloadError(f"{archive.name} has two pictures of one name: {Path(error.filename).name}") from error
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{archive.name} cannot be extracted: {error}") from error


def _fetch(remote: Remote, target: Path, progress: Progress) -> None:
    """Download a file through `<target>.part`, from where that ends; only a verified file gets the name `target`."""
    if target.exists():
        return
    part = _part(target)
    furthest, failures = _size(part), 0
    while _size(part) < remote.size_bytes:
        try:
            _stream(remote, part, progress)
        except _BrokenError as error:
            failures = 0 if _size(part) > furthest else failures + 1
            furthest = max(furthest, _size(part))
            if failures == FAILURES:
                hint = "what has come is kept, and the next download goes on from there"
                raise DownloadError(f"cannot download {remote.url}: {error}; {hint}") from error
            time.sleep(PAUSE_S * 2**failures)
    if _size(part) != remote.size_bytes or _sha256(part) != remote.sha256:
        part.unlink()
        raise DownloadError(f"{remote.url} did not give the file of the manifest (SHA-256 differs); it is deleted")
    os.replace(part, target)


def _stream(remote: Remote, part: Path, progress: Progress) -> None:
    """One request for the rest of a file; starts again where the server does not continue from there."""
    size = _size(part)
    with _open(remote, size, part) as response:
        if response.status != 206:
            size = 0
        if response.length is not None and size + response.length != remote.size_bytes:
            there = f"{size + response.length:,} bytes, not the {remote.size_bytes:,} of the manifest"
            raise DownloadError(f"{remote.url} is not the file of the manifest: it has {there}")
        with open(part, "ab" if size else "wb") as file:
            progress(remote.name, size, remote.size_bytes)
            for block in _blocks(response):
                size += len(block)
                file.write(block)
                progress(remote.name, size, remote.size_bytes)
                if size > remote.size_bytes:
                    return
            file.flush()
            os.fsync(file.fileno())
    if size < remote.size_bytes:
        raise _BrokenError("the connection was closed early")


def _open(remote: Remote, start: int, part: Path) -> http.client.HTTPResponse:
    headers = {"User-Agent": "nfcodec-benchmarks", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        return urllib.request.urlopen(urllib.request.Request(remote.url, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the file there is shorter than what we have of it
            part.unlink()
        elif error.code < 500 and error.code not in (408, 429):
            raise DownloadError(f"cannot download {remote.url}: {error}") from error
        raise _BrokenError(str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(str(error)) from error


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read(BLOCK_BYTES):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(str(error)) from error


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _check_space(data: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(data).free
    if needed_bytes > free_bytes:
        raise WriteError(f"{data} has {free_bytes / 1e6:,.0f} MB free, and {needed_bytes / 1e6:,.0f} MB are needed")
