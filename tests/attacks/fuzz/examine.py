"""One input, all readers: what came of it, how long it took, and how much memory."""

from __future__ import annotations

import importlib.util
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import nfcodec
from nfcodec.codec import decode, inspect, verify
from nfcodec.errors import CODES, NfcError
from nfcodec.format import HEADER, Header, read_chunks
from nfcodec.images.files import raster_from_bytes
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.raster import Raster

from .limits import ENDLESS_S, LARGE_BYTES, LIMITS, SLOW_S

FIND = "FIND "
"""How the classes of outcomes begin that must not be."""
COMPARED_PIXELS = 600
"""Up to so many the independent decoder of tests/conformance reads a file, too."""
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Endless(BaseException):
    """A reader took so long that it was interrupted."""


@dataclass(frozen=True)
class Outcome:
    """Of one input: "value", the code of an error, or what must not be; whether checksums and header were right."""

    kind: str
    passed: bool
    seconds: float
    grown_bytes: int


def examine(data: bytes, is_nfc: bool) -> Outcome:
    """Give an input to the readers."""
    before, started = _reset_peak(), time.process_time()
    kind, raster = _read_file(data) if is_nfc else (_read_image(data), None)
    seconds, grown = time.process_time() - started, _memory("VmHWM") - before
    if not kind.startswith(FIND):
        if seconds > SLOW_S:
            kind = f"{FIND}slow, {kind}"
        elif grown > LARGE_BYTES or kind == "limit.exhausted":
            kind = f"{FIND}large, {kind}"
    if kind == "value" and raster is not None:
        kind = _compared(data, raster)
    return Outcome(kind, is_nfc and _passes(data), seconds, grown)


def _read_file(data: bytes) -> tuple[str, Raster | None]:
    """The decoder, and one of the other readers of .nfc files; they have to agree.

    Returns what became of the input, and what it decodes to.
    """
    said, _ = _outcome(lambda: inspect(data, DEFAULT_LIMITS))
    kind, raster = _outcome(lambda: decode(data, LIMITS))
    if said.startswith(FIND) or kind.startswith(FIND):
        return said if said.startswith(FIND) else kind, None
    if kind.startswith("limit"):
        return kind, None
    if said != "value" and said != kind and not said.startswith("limit"):
        return f"{FIND}inspect says {said}, decode {kind}", None
    if raster is not None and raster.digest() != read_header(data).digest:
        return f"{FIND}wrong digest", None
    reader = random.Random(len(data) + data[-1] if data else 0).choice((_by_verify, _by_array, _by_open, _by_load))
    return reader(data, kind, raster) or kind, raster


def _by_verify(data: bytes, kind: str, raster: Raster | None) -> str:
    """What is wrong with what `verify` makes of a file; "" if nothing is. So do those below."""
    said, found = _outcome(lambda: verify(data, LIMITS))
    return _difference("verify", said if said != "value" or found.ok else "format.digest", kind)


def _by_array(data: bytes, kind: str, raster: Raster | None) -> str:
    said, array = _outcome(lambda: nfcodec.decode_array(data, limits=LIMITS))
    if raster is not None and said == kind and not np.array_equal(array, raster.to_array()):
        return f"{FIND}decode and decode_array differ"
    return _difference("decode_array", said, kind)


def _by_open(data: bytes, kind: str, raster: Raster | None) -> str:
    return _difference("open", _of_file(data, lambda name: nfcodec.open(name).array()), kind)


def _by_load(data: bytes, kind: str, raster: Raster | None) -> str:
    said = _of_file(data, nfcodec.load)
    if said == "usage" and raster is not None and raster.depth == 16:  # Pillow has no such mode
        return ""
    return _difference("load", said, kind)


def _of_file(data: bytes, read: Callable[[str], object]) -> str:
    with tempfile.NamedTemporaryFile(suffix=".nfc") as file:
        file.write(data)
        file.flush()
        return _outcome(lambda: read(file.name))[0]


def _difference(reader: str, said: str, kind: str) -> str:
    early = "format.unsupported.chunk"  # of the first chunk's name, before the rest of a file is read
    if said == kind or (reader in ("open", "load") and said == early and kind.startswith("format")):
        return ""
    return said if said.startswith(FIND) else f"{FIND}decode says {kind}, {reader} {said}"


def _read_image(data: bytes) -> str:
    said, raster = _outcome(lambda: raster_from_bytes(data, LIMITS))
    if said == "value" and raster.n_pixels > LIMITS.max_pixels:
        return f"{FIND}an image over the limits"
    if said == "usage":
        return f"{FIND}usage, from an image"
    return said


def _compared(data: bytes, raster: Raster) -> str:
    """A file that decodes, by the decoder that was written from the description of the format alone."""
    header = read_header(data)
    if header.width * header.height > COMPARED_PIXELS:
        return "value"
    try:
        samples, alpha, metadata = _independent().decode(data)
    except Exception as error:
        if "over own limit" in str(error):  # it is for small files
            return "value"
        return f"{FIND}the independent decoder refuses: {type(error).__name__} {error}"
    same = np.array_equal(samples, raster.samples) and metadata == raster.metadata
    same &= (alpha is None) == (raster.alpha is None) and (
        alpha is None or np.array_equal(alpha, np.asarray(raster.alpha))
    )
    return "value" if same else f"{FIND}the independent decoder differs"


@cache
def _independent() -> ModuleType:
    path = Path(__file__).parents[2] / "conformance" / "decoder.py"
    spec = importlib.util.spec_from_file_location("independent_decoder", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_header(data: bytes) -> Header:
    return Header.unpack(read_chunks(data)[HEADER], DEFAULT_LIMITS)


def _passes(data: bytes) -> bool:
    try:
        read_header(data)
    except NfcError:
        return False
    return True


def _outcome(read: Callable[[], Any]) -> tuple[str, Any]:
    """The class of what a reader did, and the value if there is one."""
    try:
        with _time_limit():
            return "value", read()
    except NfcError as error:
        known = error.code in CODES and len(str(error)) < 400
        return error.code if known else f"{FIND}an error without a code: {error!r}", None
    except Endless:
        return f"{FIND}endless", None
    except BaseException as error:  # a panic of an extension module is no Exception
        places = [frame for frame in traceback.extract_tb(error.__traceback__) if "nfcodec" in frame.filename]
        where = f"{Path(places[-1].filename).name}:{places[-1].name}" if places else "?"
        return f"{FIND}{type(error).__name__} in {where}", None


@contextmanager
def _time_limit() -> Generator[None]:
    def stop(*_: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, ENDLESS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _reset_peak() -> int:
    """Forget the most memory so far, where the system can; the memory that is in use now."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")
    return _memory("VmRSS")


def _memory(key: str) -> int:
    if not _STATUS.exists():
        return 0
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024
