"""What names of output files say, so that no picture is replaced by a file that was made from it, or the other way."""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from pathlib import PurePath

NFC_SUFFIX = ".nfc"

PICTURE_SUFFIXES = {
    ".apng", ".arw", ".avif", ".bmp", ".cr2", ".cr3", ".dds", ".dib", ".dng", ".exr", ".gif", ".hdr", ".heic",
    ".heif", ".icns", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".jxl", ".nef", ".npy",
    ".orf", ".pam", ".pbm", ".pcx", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".raf", ".rw2", ".sgi",
    ".svg", ".tga", ".tif", ".tiff", ".webp", ".xcf",
}  # fmt: skip
"""In small letters, of pictures and of the arrays that hold them."""

WRITTEN_SUFFIXES = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "webp": (".webp",),
    "avif": (".avif",),
    "tiff": (".tif", ".tiff"),
    "ppm": (".ppm", ".pgm", ".pnm"),
    "npy": (".npy",),
}
"""Of the formats that pictures are written in, by the name that `--format` takes; the first is that of new names."""

READ_SUFFIXES = {
    ".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".npy", ".pbm", ".pgm", ".png", ".pnm",
    ".ppm", ".qoi", ".tga", ".tif", ".tiff", ".webp",
}  # fmt: skip
"""Those of the kinds that `nfcodec.images.formats` reads, by which pictures are found in directories."""

Path = str | os.PathLike[str]


def is_picture_name(path: Path) -> bool:
    """Whether a path has a picture's suffix, or is a link to one that has."""
    return any(suffix in PICTURE_SUFFIXES for suffix in _suffixes(path))


def is_nfc_name(path: Path) -> bool:
    """Whether a path ends in .nfc, or is a link to one that does."""
    return NFC_SUFFIX in _suffixes(path)


def format_of_suffix(suffix: str) -> str | None:
    """The format that a suffix such as ".jpg" stands for, in small letters or large ones; None for an unknown one."""
    return next((name for name, suffixes in WRITTEN_SUFFIXES.items() if suffix.lower() in suffixes), None)


def is_same_file(source: Path | int, target: Path | int) -> bool:
    """Whether two paths or descriptors are one and the same file, be it through links. Pipes and terminals are none."""
    with contextlib.suppress(OSError, ValueError):
        status = os.stat(source)
        return not _is_stream(status) and os.path.samestat(status, os.stat(target))
    return False


def with_suffix(path: str, suffix: str) -> str:
    """Replace a path's suffix, or add one; whatever else the path may be, as one that ends in a slash."""
    return os.path.splitext(path)[0] + suffix


def free_name(path: str) -> str:
    """A name beside a path that is not taken: a.png becomes a-decoded.png, a-decoded-2.png, .."""
    stem, suffix = os.path.splitext(path)
    numbered = (f"{stem}-decoded-{n}{suffix}" for n in itertools.count(2))
    return next(name for name in itertools.chain([f"{stem}-decoded{suffix}"], numbered) if not os.path.lexists(name))


def _suffixes(path: Path) -> set[str]:
    with contextlib.suppress(OSError, ValueError):
        return {PurePath(each).suffix.lower() for each in (path, os.path.realpath(path))}
    return {PurePath(path).suffix.lower()}


def _is_stream(status: os.stat_result) -> bool:
    return not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode))
