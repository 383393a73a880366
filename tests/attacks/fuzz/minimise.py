"""Makes a find small: mutations are left out, then bytes go or become zero, while the class of the outcome stays."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import forge

from nfcodec.errors import NfcError
from nfcodec.format import HEADER, WEIGHTS, read_chunks

from .cases import Case
from .examine import examine

SECONDS = 60.0


def minimised(case: Case) -> tuple[str, bytes]:
    """The class of a case's outcome, and a small input of the same class."""
    kind = examine(case.data(), case.seed.is_nfc).kind
    until = time.monotonic() + SECONDS

    def stays(data: bytes) -> bool:
        return time.monotonic() < until and examine(data, case.seed.is_nfc).kind == kind

    fewer = True
    while fewer:
        found = next((other for other in case.smaller() if stays(other.data())), None)
        case, fewer = found or case, found is not None
    data = case.data()
    return kind, _smaller_file(data, stays) if case.seed.is_nfc else _smaller(data, stays)


def _smaller_file(data: bytes, stays: Callable[[bytes], bool]) -> bytes:
    """Chunk by chunk, with right checksums; a file whose container is broken is taken as bytes."""
    try:
        kinds = list(read_chunks(data))
    except NfcError:
        return _smaller(data, stays)
    for kind in kinds:
        without = forge.with_chunk(data, kind, None)
        if kind not in (HEADER, WEIGHTS) and stays(without):
            data = without
            continue
        at = data

        def with_payload(payload: bytes, at: bytes = at, kind: bytes = kind) -> bytes:
            return forge.with_chunk(at, kind, payload)

        payload = _smaller(
            read_chunks(data)[kind], lambda payload, build=with_payload: stays(build(payload)), from_end=kind != HEADER
        )
        data = with_payload(payload)
    return data


def _smaller(data: bytes, stays: Callable[[bytes], bool], from_end: bool = True) -> bytes:
    """Without as much of its end as can go, and with as many zeros as can be."""
    for attempt in (_ends, _zeros) if from_end else (_zeros,):
        size = len(data)
        while size:
            for other in attempt(data, size):
                if other != data and stays(other):
                    data = other
            size //= 2
    return data


def _ends(data: bytes, size: int) -> Iterator[bytes]:
    if size < len(data):
        yield data[:-size]


def _zeros(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[:at] + bytes(min(size, len(data) - at)) + data[at + size :]


def write_find(directory: Path, kind: str, data: bytes, is_nfc: bool) -> Path:
    """Write a find for test_finds.py. Its name begins with the code that is expected, which a person has to fill in."""
    directory.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")[:50]
    path = directory / f"unknown--{slug}-{hashlib.sha256(data).hexdigest()[:6]}.{'nfc' if is_nfc else 'image'}"
    path.write_bytes(data)
    return path
