import errno
import os
import stat

import pytest

from nfcodec.errors import WriteError
from nfcodec.images import atomic
from nfcodec.images.atomic import check_writable, write_atomic

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def test_new_file_honours_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"data")
    finally:
        os.umask(old)
    assert (tmp_path / "a").read_bytes() == b"data"
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert os.listdir(tmp_path) == ["a"]


def test_existing_file_is_kept_unless_told(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    for act in (lambda: write_atomic(path, b"new"), lambda: check_writable(path)):
        with pytest.raises(WriteError, match="exists"):
            act()
    assert path.read_bytes() == b"old"
    path.chmod(0o600)
    check_writable(path, overwrite=True)
    write_atomic(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["missing/a", "file/a", "."])
def test_hopeless_paths(tmp_path, name):
    (tmp_path / "file").write_bytes(b"")
    for act in (check_writable, lambda path, overwrite: write_atomic(path, b"x", overwrite)):
        with pytest.raises(WriteError) as caught:
            act(tmp_path / name, True)
        assert "\n" not in str(caught.value)


def test_null_byte():
    with pytest.raises(WriteError):
        write_atomic("a\0b", b"")
    with pytest.raises(WriteError):
        check_writable("a\0b")


@pytest.mark.skipif(AS_ROOT or os.name != "posix", reason="root may write everywhere")
def test_unwritable_directory(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(WriteError):
        check_writable(tmp_path / "a")


def test_device_is_written_to_and_not_replaced():
    check_writable(os.devnull)
    write_atomic(os.devnull, b"gone")
    assert not os.path.isfile(os.devnull)


def test_symbolic_link_is_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("a")
    write_atomic(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failure, where):
    (tmp_path / "a").write_bytes(b"old")

    def fail(*_):
        raise failure

    monkeypatch.setattr(atomic.os, where, fail)
    with pytest.raises(WriteError if isinstance(failure, OSError) else KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_without_hard_links(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(atomic.os, "link", no_links)
    write_atomic(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"
    with pytest.raises(WriteError, match="exists"):
        write_atomic(tmp_path / "a", b"other")
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, links):
    path = tmp_path / "a"

    def race(*_):
        path.write_bytes(b"theirs")
        raise FileExistsError(errno.EEXIST, "exists") if links else OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(atomic.os, "link", race)
    with pytest.raises(WriteError, match="exists"):
        write_atomic(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]
