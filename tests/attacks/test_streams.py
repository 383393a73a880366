"""Standard streams that are closed, full, slow or strict: all that was to be written is written, or the exit code is 7.

Each command is a process of its own, as it is from a shell.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, encode
from nfcodec.errors import WriteError
from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster

resource = pytest.importorskip("resource", reason="POSIX streams")

WIDE = Raster.from_array(np.zeros((300, 400), np.uint8))  # longer than what a pipe holds
PNG = image_bytes(Raster.from_array(np.add.outer(np.arange(16), 5 * np.arange(16)).astype(np.uint8)))
CANNOT_WRITE = WriteError.exit_code
ROOT = str(Path(__file__).parents[2])

each_buffering = pytest.mark.parametrize(
    "environment", [{"PYTHONUNBUFFERED": ""}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


@pytest.fixture(scope="module")
def nfc() -> bytes:
    return encode(WIDE, EncodeOptions(effort=1)).data


@pytest.fixture
def here(tmp_path, nfc):
    (tmp_path / "a.nfc").write_bytes(nfc)
    (tmp_path / "a.png").write_bytes(PNG)
    return tmp_path


def started(here: Path, *arguments: str, closed=(), file_bytes=None, environment=None, **options) -> subprocess.Popen:
    """Start a command with some of its standard streams closed, and files that may only have so many bytes."""

    def prepare():
        for descriptor in closed:
            os.close(descriptor)
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    environment = {**os.environ, "PYTHONPATH": ROOT, **(environment or {})}
    command = [sys.executable, "-m", "nfcodec", *arguments]
    return subprocess.Popen(command, cwd=here, env=environment, preexec_fn=prepare, **options)


def ended(*arguments, stdin: bytes = b"", **options) -> tuple[int, bytes, bytes]:
    """Exit code, standard output and standard error of a command; what is not given is a pipe."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with started(*arguments, **{**pipes, **options}) as child:
        out, err = child.communicate(stdin or None, timeout=120)
    return child.returncode, out, err


# ----------------------------------------------------------------------------------------- output that is cut


@each_buffering
def test_a_file_that_may_not_grow(here, environment):
    """As with a full disk, the first write is short and the next one fails."""
    with open(here / "out", "wb") as out:
        code, _, err = ended(
            here, "decode", "a.nfc", "-", "--format", "npy", environment=environment, stdout=out, file_bytes=4096
        )
    assert (here / "out").stat().st_size == 4096
    assert code == CANNOT_WRITE
    assert err == b"nfcodec: error: cannot write to standard output: File too large\n"


@each_buffering
def test_a_pipe_that_does_not_block_gets_everything(here, environment):
    """Its reader is slow."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    got = bytearray()

    def read():
        while chunk := os.read(reader, 10_000):
            got.extend(chunk)
            time.sleep(0.01)

    child = started(here, "decode", "a.nfc", "-", "--format", "npy", environment=environment, stdout=writer)
    os.close(writer)
    thread = threading.Thread(target=read)
    thread.start()
    assert child.wait(60) == 0
    thread.join()
    os.close(reader)
    assert len(got) == 128 + WIDE.n_pixels


SAYING = {
    "decode": ("decode", "a.nfc", "-"),
    "encode": ("encode", "--fast", "-q", "a.png", "-"),
    "encode --json": ("encode", "--fast", "-q", "--json", "a.png", "b.nfc"),
    "info": ("info", "a.nfc"),
    "info --json": ("info", "a.nfc", "--json"),
    "compare": ("compare", "a.png", "a.png"),
    "--help": ("--help",),
    "encode --help": ("encode", "--help"),
    "--version": ("--version",),
}
each_saying = pytest.mark.parametrize("arguments", SAYING.values(), ids=SAYING)


@needs_full
@each_saying
def test_a_full_device(here, arguments):
    with open("/dev/full", "wb") as full:
        code, _, err = ended(here, *arguments, stdout=full)
    assert code == CANNOT_WRITE
    assert err == b"nfcodec: error: cannot write to standard output: No space left on device\n"


@each_saying
def test_a_reader_that_has_gone(here, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    with started(here, *arguments, stdout=writer, stderr=subprocess.PIPE) as child:
        os.close(writer)
        _, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (CANNOT_WRITE, b"")


# ----------------------------------------------------------------------------------------- streams that are closed


@each_saying
def test_closed_standard_output(here, arguments):
    code, _, err = ended(here, *arguments, closed=(1,))
    assert code == CANNOT_WRITE
    assert err == b"nfcodec: error: cannot write to standard output: Bad file descriptor\n"


def test_closed_standard_error_stays_out_of_the_output(here):
    """Messages would go to standard output, or into the file that gets the free descriptor."""
    few = ("--best-effort", "--size", "10", "--fast")
    code, out, _ = ended(here, "encode", *few, "a.png", "-", closed=(2,))
    assert code == 0
    assert ended(here, "decode", "-", "-", stdin=out)[0] == 0
    code, out, _ = ended(here, "decode", "-", "-", stdin=b"junk", closed=(2,))
    assert (code, out) == (4, b"")
    code, _, _ = ended(here, "encode", *few, "a.png", "b.nfc", closed=(0, 1, 2))
    assert code == 0
    assert ended(here, "verify", "-q", "b.nfc")[0] == 0


@needs_full
def test_messages_that_cannot_be_written(here):
    with open("/dev/full", "wb") as full:
        assert ended(here, "encode", "--fast", "a.png", "b.nfc", stderr=full)[0] == 0
        assert ended(here, "info", "a.png", stderr=full)[:2] == (4, b"")


@pytest.mark.parametrize(
    "arguments", [("encode", "-", "b.nfc"), ("decode", "-"), ("info", "-"), ("compare", "-", "a.png")]
)
def test_closed_standard_input(here, arguments):
    code, out, err = ended(here, *arguments, closed=(0,))
    assert (code, out) == (3, b"")
    assert err == b"nfcodec: error: cannot read standard input: Bad file descriptor\n"


# ----------------------------------------------------------------------------------------- names, encodings, no end


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_a_name_that_is_no_text(here, nfc, encoding):
    odd = os.fsdecode("ä".encode() + b"\xff.nfc")
    try:
        (here / odd).write_bytes(nfc)
    except OSError as error:
        pytest.skip(f"this file system wants names of text: {error}")
    environment = {"PYTHONIOENCODING": encoding}
    code, out, err = ended(here, "info", odd, environment=environment)
    assert code == 0, err
    assert "ä".encode() + b"\xff.nfc" in out or b"\\xe4\\udcff.nfc" in out
    code, out, err = ended(here, "info", odd, "--json", environment=environment)
    assert code == 0, err
    assert json.loads(out)["path"] == odd
    code, out, err = ended(here, "encode", "--fast", "a.png", f"b{odd}", "--json", environment=environment)
    assert code == 0, err
    assert json.loads(out)["path"] == f"b{odd}"


ENDLESS = """
import os, resource, sys
from nfcodec.cli import main
resource.setrlimit(resource.RLIMIT_AS, (800 << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))
code = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
print(code, used.ru_utime + used.ru_stime)
"""


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
@pytest.mark.parametrize(("arguments", "code"), [
    (("info", "/dev/zero"), 4), (("decode", "/dev/zero", "b.png"), 4), (("verify", "/dev/zero"), 4),
    (("compare", "/dev/zero", "a.png"), 3), (("encode", "/dev/zero", "b.nfc"), 3), (("info", "-"), 4),
    (("encode", "-", "b.nfc"), 3), (("info", "sparse"), 4), (("encode", "sparse", "b.nfc"), 3)])  # fmt: skip
def test_input_without_an_end(here, arguments, code):
    with open(here / "sparse", "wb") as file:
        file.truncate(2**31 - 1)
    line = [sys.executable, "-c", ENDLESS, *arguments]
    environment = {**os.environ, "PYTHONPATH": ROOT}
    with open("/dev/zero", "rb") as zeros:
        child = subprocess.run(
            line, cwd=here, env=environment, stdin=zeros, capture_output=True, timeout=60, check=False
        )
    assert child.returncode == 0, child.stderr
    got, seconds = child.stdout.split()
    assert (int(got), float(seconds) < 5) == (code, True), child.stderr
    assert child.stderr.startswith(b"nfcodec: error: ")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
def test_python_reads_no_endless_file():
    import nfcodec

    with pytest.raises(nfcodec.NotNfcError):
        nfcodec.open("/dev/zero")
