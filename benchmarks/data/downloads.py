"""Files from the web: downloads that go on where they stopped and are verified, and archives of them."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import stat
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nfcodec.errors import NfcError, WriteError

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


def fetch(remote: Remote, target: Path, progress: Progress) -> None:
    """Download a file through `<target>.part`, from where that ends; only a verified file gets the name `target`.

    Raises:
        DownloadError: the source cannot be reached, or its file is not the one that `remote` describes.
    """
    if target.exists():
        return
    part = part_of(target)
    furthest, failures = size_of(part), 0
    while size_of(part) < remote.size_bytes:
        try:
            _stream(remote, part, progress)
        except _BrokenError as error:
            failures = 0 if size_of(part) > furthest else failures + 1
            furthest = max(furthest, size_of(part))
            if failures == FAILURES:
                hint = "what has come is kept, and the next download goes on from there"
                raise DownloadError(f"cannot download {remote.url}: {error}; {hint}") from error
            time.sleep(PAUSE_S * 2**failures)
    if size_of(part) != remote.size_bytes or sha256_of(part) != remote.sha256:
        part.unlink()
        raise DownloadError(f"{remote.url} did not give the file of the manifest (SHA-256 differs); it is deleted")
    os.replace(part, target)


def _stream(remote: Remote, part: Path, progress: Progress) -> None:
    """One request for the rest of a file; starts again where the server does not continue from there."""
    size = size_of(part)
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


def part_of(target: Path) -> Path:
    """Where a file lies until it is complete."""
    return target.with_name(target.name + ".part")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def check_space(data: Path, needed_bytes: int) -> None:
    """Raise WriteError where a folder's disk has less room than is needed."""
    free_bytes = shutil.disk_usage(data).free
    if needed_bytes > free_bytes:
        raise WriteError(f"{data} has {free_bytes / 1e6:,.0f} MB free, and {needed_bytes / 1e6:,.0f} MB are needed")


def extract(archive: Path, folder: Path, wanted: Callable[[Sequence[str]], bool]) -> None:
    """Write the files of a zip archive that are wanted, by the parts of their names, into one folder.

    Raises:
        DownloadError: the archive is damaged, or has two files of one name.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                steps = re.split(r"[/\\:]", member.filename)
                parts = [step for step in steps if step not in ("", ".", "..")]
                kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive does not say
                if parts and not member.is_dir() and kind in (0, stat.S_IFREG) and wanted(parts):
                    with opened.open(member) as source, open(folder / parts[-1], "xb") as file:
                        shutil.copyfileobj(source, file)
    except FileExistsError as error:
        raise DownloadError(f"{archive.name} has two pictures of one name: {Path(error.filename).name}") from error
    except zipfile.BadZipFile as error:
        raise DownloadError(f"{archive.name} cannot be extracted: {error}") from error


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
