"""Gives hostile files to the readers in a process that may not grow: `python workshop.py hostile | mutations | codes`.

Prints one JSON object: the name of each file to the error's class, code and message (or none), seconds and bytes of
memory; of hostile files, under "pillow", the same once more as Pillow reads them. With `codes` it writes codes.json
instead, which says for each hostile file which guard has to refuse it: read the change of that file before you keep it.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import forge
from PIL import Image

import nfcodec
from nfcodec.codec import decode, inspect, verify
from nfcodec.errors import FormatError, NfcError

CODES = Path(__file__).with_name("codes.json")
ADDRESS_SPACE = 700 << 20
N_MUTATIONS, SEED = 250, 20


def peak_bytes() -> int:
    """The most memory that this process ever had; `ru_maxrss` can be that of the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def examine(read: Callable[[bytes], Any], data: bytes) -> dict[str, Any]:
    """What becomes of a file. Nothing but an NfcError may come out, not even a panic, which is a BaseException."""
    before, started = peak_bytes(), time.process_time()
    found: dict[str, Any] = {"error": None, "code": None, "message": ""}
    try:
        read(data)
    except BaseException as error:
        found = {"error": type(error).__name__, "code": getattr(error, "code", None), "message": str(error)}
    return {**found, "seconds": time.process_time() - started, "grown": peak_bytes() - before}


def read_all(data: bytes) -> None:
    """Everything that reads a file; all have to agree that it is bad."""
    try:
        inspect(data)
    except NfcError:
        decode(data)
        raise AssertionError("inspect refuses what decode accepts") from None
    try:
        decode(data)
    except FormatError as error:
        if error.code == "format.digest" and verify(data).ok:
            raise AssertionError("verify accepts what decode refuses") from None
        raise


def read_through_pillow(data: bytes) -> None:
    """Open a file, which reads its header alone, make a thumbnail, and load the whole picture."""
    with Image.open(io.BytesIO(data)) as image:
        image.thumbnail((1 + image.width // 8, 1 + image.height // 8))
    with Image.open(io.BytesIO(data)) as image:
        image.load()


def main(what: str) -> dict[str, Any]:
    files: Iterable[tuple[str, bytes]]
    if what == "hostile":
        files, read = [(name, data) for name, (data, _) in forge.hostile().items()], decode
    else:
        files, read = [(str(i), data) for i, data in enumerate(forge.mutations(N_MUTATIONS, SEED))], read_all
    for name in forge.ALL:
        decode(forge.golden(name))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    nfcodec.register_pillow()
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, hard))
    outcomes = {name: examine(read, data) for name, data in files}
    if what == "hostile":
        for name, data in files:
            outcomes[name]["pillow"] = examine(read_through_pillow, data)
    return outcomes


def by_code(outcomes: dict[str, Any]) -> dict[str, list[str]]:
    """The names of the files that each guard refuses."""
    codes = sorted({outcome["code"] for outcome in outcomes.values()})
    return {code: [name for name, outcome in outcomes.items() if outcome["code"] == code] for code in codes}


if __name__ == "__main__":
    if sys.argv[1] == "codes":
        CODES.write_text(json.dumps(by_code(main("hostile")), indent=1) + "\n")
    else:
        print(json.dumps(main(sys.argv[1])))
