"""Run a command and print, as JSON, its seconds, peak memory in MB, exit status and standard output.

    python -m benchmarks.records.measured nfcodec ...

In a process of its own, since a child's peak memory counts from its parent's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time


def main() -> None:
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        child = subprocess.Popen(sys.argv[1:], stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        row = {"seconds": seconds, "MB": usage.ru_maxrss / 1024, "status": child.returncode, "out": out.read()}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
