import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from nfcodec.errors import WriteError
from nfcodec.images import atomic, whole_files
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
    def no_links(*_, **__):
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

    def race(*_, **__):
        path.write_bytes(b"theirs")
        raise FileExistsError(errno.EEXIST, "exists") if links else OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(atomic.os, "link", race)
    with pytest.raises(WriteError, match="exists"):
        write_atomic(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]


def test_nothing_is_reserved_where_a_move_can_refuse_to_replace(tmp_path, monkeypatch):
    """Of a reserved name an empty file would be left, if the process were killed then."""

    def no_links(*_, **__):
        raise OSError(errno.EPERM, "no hard links here")

    (tmp_path / "probe").write_bytes(b"")
    try:
        whole_files._rename_no_replace(str(tmp_path / "probe"), str(tmp_path / "moved"))
    except OSError as error:
        pytest.skip(f"the system has no such move: {error}")
    (tmp_path / "moved").unlink()
    monkeypatch.setattr(atomic.os, "link", no_links)
    monkeypatch.setattr(atomic.os, "replace", lambda *_: pytest.fail("a name was reserved"))
    write_atomic(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["a"]


def test_with_neither_links_nor_such_a_move(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(atomic.os, "link", refuse)
    monkeypatch.setattr(whole_files, "_rename_no_replace", refuse)
    write_atomic(tmp_path / "a", b"data")
    with pytest.raises(WriteError, match="exists"):
        write_atomic(tmp_path / "a", b"other")
    assert (tmp_path / "a").read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["a"]


KILLED = """
import os, signal, sys
from nfcodec.images.atomic import write_atomic
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
write_atomic(sys.argv[1], b"data")
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs files without a name (Linux)")
def test_a_killed_process_leaves_no_new_file_at_all(tmp_path):
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except OSError as error:
        pytest.skip(f"this file system has no files without a name: {error}")
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False, timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == []


def test_commit_comes_when_only_the_name_is_missing(tmp_path):
    def commit():
        seen.append(path.read_bytes() if path.exists() else None)

    path, seen = tmp_path / "a", []
    write_atomic(path, b"data", commit=commit)
    write_atomic(path, b"other", overwrite=True, commit=commit)
    assert seen == [None, b"data"]

    def interrupt():
        raise KeyboardInterrupt

    for overwrite, target in ((True, path), (False, tmp_path / "b")):
        with pytest.raises(KeyboardInterrupt):
            write_atomic(target, b"more", overwrite, commit=interrupt)
    assert path.read_bytes() == b"other"
    assert os.listdir(tmp_path) == ["a"]


# ----------------------------------------------------------------------------------------------- who owns a file


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o4755, 0o6770])
def test_an_overwritten_file_is_private_until_it_is_whole(tmp_path, monkeypatch, mode):
    path, modes = tmp_path / "a", []
    path.write_bytes(b"old")
    path.chmod(mode)
    write = whole_files.write_all

    def look(descriptor, data):
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        write(descriptor, data)

    monkeypatch.setattr(whole_files, "write_all", look)
    write_atomic(path, b"new", overwrite=True)
    assert modes == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == mode & 0o777


@pytest.mark.skipif(not AS_ROOT, reason="only root can give files to others")
def test_an_overwritten_file_keeps_its_owner(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    os.chown(path, 12345, 54321)
    write_atomic(path, b"new", overwrite=True)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o640)


@pytest.mark.skipif(not AS_ROOT, reason="only root can make a file of a group that it does not keep")
def test_what_the_old_group_could_read_is_not_for_another_group(tmp_path, monkeypatch):
    path, fchown = tmp_path / "a", os.fchown
    path.write_bytes(b"old")
    path.chmod(0o664)
    os.chown(path, 12345, 54321)

    def refuse_groups(descriptor, user, group):
        if group != -1:
            raise OSError(errno.EPERM, "not your group")
        fchown(descriptor, user, group)

    monkeypatch.setattr(atomic.os, "fchown", refuse_groups)
    write_atomic(path, b"new", overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


# ------------------------------------------------------------------------------------------------ pipes and devices


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="needs /dev/fd")
def test_a_descriptor_is_written_to(tmp_path):
    reader, writer = os.pipe()
    check_writable(f"/dev/fd/{writer}")
    write_atomic(f"/dev/fd/{writer}", b"data")
    os.close(writer)
    assert os.read(reader, 9) == b"data"
    os.close(reader)
    for act in (check_writable, lambda path: write_atomic(path, b"data")):
        with pytest.raises(WriteError, match="Bad file descriptor"):
            act(f"/dev/fd/{writer}")
    with open(tmp_path / "log", "wb", buffering=0) as file:  # as a shell does with > or >>
        file.write(b"before ")
        write_atomic(f"/dev/fd/{file.fileno()}", b"data")
    assert (tmp_path / "log").read_bytes() == b"before data"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_written_to_and_not_replaced(tmp_path):
    path, got = tmp_path / "pipe", []
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: got.append(path.read_bytes()))
    thread.start()
    check_writable(path)
    write_atomic(path, b"data")
    thread.join()
    assert got == [b"data"]
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.skipif(not AS_ROOT, reason="only root can make a device")
def test_a_disk_is_overwritten_only_if_told(tmp_path):
    path = tmp_path / "disk"
    try:
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(240, 250))  # of a driver that there is not
    except OSError as error:
        pytest.skip(f"no devices can be made here: {error}")
    for act in (check_writable, lambda path: write_atomic(path, b"data")):
        with pytest.raises(WriteError, match=r"is a device; .*\(-f\)"):
            act(path)
    check_writable(path, overwrite=True)
    with pytest.raises(WriteError, match=r"cannot write .*disk: No such device"):
        write_atomic(path, b"data", overwrite=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_of_characters_is_overwritten_only_if_told():
    with pytest.raises(WriteError, match="is a device"):
        write_atomic("/dev/full", b"data")
    with pytest.raises(WriteError, match="No space left"):
        write_atomic("/dev/full", b"data", overwrite=True)
    write_atomic(os.devnull, b"data")


@pytest.mark.parametrize("there", [None, b"old"], ids=["new", "old"])
def test_a_name_of_a_directory_becomes_no_file(tmp_path, there):
    if there is not None:
        (tmp_path / "out").write_bytes(there)
    for write in (lambda path: check_writable(path, True), lambda path: write_atomic(path, b"new", True)):
        with pytest.raises(WriteError, match=r"out/: it is the name of a directory$"):
            write(f"{tmp_path}/out/")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [there][: there is not None]
