"""A real Ray cluster on this machine, for tests."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

CLUSTER = """
import ray, sys
ray.init(
    address="local", num_cpus=int(sys.argv[1]), include_dashboard=False, log_to_driver=False, logging_level="error"
)
print(ray.get_runtime_context().gcs_address, flush=True)
input()
"""


class Cluster(NamedTuple):
    """Its address, the environment of who may use it, and the process that all its processes come from."""

    address: str
    environment: dict[str, str]
    pid: int


@contextlib.contextmanager
def started(n_processors: int) -> Iterator[Cluster]:
    """A cluster for as long as this lasts: in a process of its own, as ray leaves warnings behind."""
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", CLUSTER, str(n_processors)]
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdout
        yield Cluster(process.stdout.readline().strip(), environment, process.pid)
        process.communicate("\n", timeout=60)
