"""Work for tests of many files. Processes import this module, so it imports little."""

import os
import signal
import time

from nfcodec.cli._work import Job, Made, Work
from nfcodec.limits import DEFAULT_LIMITS

DEEDS = """
import signal, sys
from nfcodec.cli import decode, main
from tests.cli.many_works import Deeds
signal.signal(signal.SIGINT, signal.default_int_handler)
decode.Decode = Deeds
sys.exit(main(["decode", *sys.argv[1:]]))
"""
"""A program: `nfcodec decode`, which does deeds."""


class Deeds(Work):
    """What a file says is to be done: "die", "sleep", "exit", "say threads", or else to become what it says."""

    limits = DEFAULT_LIMITS
    input_suffixes = (".txt",)
    done = "done"

    def __init__(self, *_: object) -> None:
        pass

    @property
    def suffix(self) -> str:
        return ".out"

    def check_start(self, head: bytes, source: str) -> None:
        pass

    def open(self, data: bytes, job: Job) -> str:
        return data.decode()

    def make(self, opened: str, job: Job, listen: object) -> Made:
        if opened == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if opened == "abort":
            os.kill(os.getpid(), signal.SIGABRT)
        if opened == "exit":
            os._exit(7)
        if opened == "memory":
            raise MemoryError
        if opened == "sleep":
            time.sleep(60)
        if opened == "threads":
            from nfcodec.workers import n_threads

            opened = f"{n_threads()} {os.environ['OMP_NUM_THREADS']}"
        return Made({"path": job.target}, opened.encode(), summary=f"{job.source} has become {opened}")
