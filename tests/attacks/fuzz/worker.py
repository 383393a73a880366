"""Examines a range of inputs in this process, which may not grow, and prints a line of JSON for each.

It is started by `__main__`, with DIRECTORY alone to write the encodes that are seeds there, with RUN FIRST END STEP
DIRECTORY to examine every STEP-th input, and with RUN NUMBER DIRECTORY FINDS to minimise one and write it to FINDS.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import resource
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # forge.py

from .cases import case
from .examine import examine
from .limits import ADDRESS_SPACE, KILLED_S
from .minimise import minimised, write_find
from .seeds import read_seeds, write_encodes


def restrict() -> None:
    """Bound the address space; warnings are errors."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    logging.disable()  # Pillow's words on bad images
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where C libraries complain about images


def grant() -> None:
    """Let the process have KILLED_S more of processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + KILLED_S, hard))


def examine_range(run: int, numbers: range, directory: Path) -> None:
    seeds = read_seeds(directory)
    for seed in seeds:
        examine(seed.data, seed.is_nfc)  # imports and caches are nobody's cost
    restrict()
    for number in numbers:
        grant()
        chosen = case(seeds, run, number)
        outcome = examine(chosen.data(), chosen.seed.is_nfc)
        print(json.dumps({"number": number, "name": chosen.name, **dataclasses.asdict(outcome)}), flush=True)


def main(arguments: list[str]) -> None:
    if len(arguments) == 1:
        write_encodes(Path(arguments[0]))
    elif len(arguments) == 5:
        run, first, end, step = map(int, arguments[:4])
        examine_range(run, range(first, end, step), Path(arguments[4]))
    else:
        seeds = read_seeds(Path(arguments[2]))
        chosen = case(seeds, int(arguments[0]), int(arguments[1]))
        restrict()
        kind, data = minimised(chosen)
        print(write_find(Path(arguments[3]), kind, data, chosen.seed.is_nfc))


if __name__ == "__main__":
    main(sys.argv[1:])
