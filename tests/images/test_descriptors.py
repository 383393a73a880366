from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from nfcodec.images import descriptors
from nfcodec.images.descriptors import descriptor_of, write_all

DATA = bytes(range(256)) * 2000

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX pipes and paths")


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        os.close(descriptor)


def read_slowly(descriptor: int, n_bytes: int, into: bytearray) -> None:
    while len(into) < n_bytes:
        into += os.read(descriptor, 30_000)
        time.sleep(0.001)


@pytest.mark.parametrize("blocking", [True, False])
def test_a_pipe_gets_all_even_if_it_does_not_block(pipe, blocking):
    reader, writer = pipe
    os.set_blocking(writer, blocking)
    got = bytearray()
    thread = threading.Thread(target=read_slowly, args=(reader, len(DATA), got))
    thread.start()
    write_all(writer, DATA)
    thread.join()
    assert got == DATA


def test_short_writes_go_on(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(descriptors.os, "write", lambda to, data: write(to, bytes(data[:999])))
    with open(tmp_path / "a", "wb") as file:
        write_all(file.fileno(), DATA)
    assert (tmp_path / "a").read_bytes() == DATA


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_refusal_is_an_error():
    with open("/dev/full", "wb", buffering=0) as device, pytest.raises(OSError, match="space") as caught:
        write_all(device.fileno(), DATA)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
def test_names_of_descriptors(tmp_path):
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "7").write_bytes(b"")
    assert descriptor_of("/dev/stdout") == descriptor_of(tmp_path / "link") == 1
    assert descriptor_of("/dev/fd/63") == 63
    assert descriptor_of("/dev/../dev/fd/0") == descriptor_of("/dev/stdin") == 0
    for other in ("", "a", "/", "/dev/null", "/dev/fd", "/dev/fd/x", tmp_path / "loop", tmp_path / "7", "a\0b"):
        assert descriptor_of(other) is None
