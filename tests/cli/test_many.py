"""Many files in one call: which they are, where they go, and what becomes of the others where one fails."""

import contextlib
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from nfcodec.cli import _many, _processes, _signals
from nfcodec.cli._inputs import Given
from nfcodec.cli._options import Many
from nfcodec.cli._total import Total
from nfcodec.cli._work import Job
from nfcodec.images.formats import READ
from nfcodec.images.names import PICTURE_SUFFIXES, READ_SUFFIXES
from tests.cli.commands import PNG
from tests.cli.many_works import DEEDS, Deeds

ROOT = Path(__file__).parents[2]

QUICK = ("--field", "samples")
"""The field that takes no time."""

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals and links")


@pytest.fixture
def here(monkeypatch):
    """Let the work be done in this process."""
    monkeypatch.setattr(_many, "_executor", lambda *_: _many._here)


@pytest.fixture
def put(run, nfc):
    """Write files into the directory of `run`, by their names: .nfc files, pictures, or what is no picture (bad)."""

    def put_all(*names):
        for name in names:
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no picture" if "bad" in name else nfc if name.endswith(".nfc") else PNG)

    return put_all


def tree(folder="."):
    """All files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if not path.is_dir())


def lines_of(result):
    return [json.loads(line) for line in result.out.splitlines()]


# ------------------------------------------------------------------------------------------------------ the whole way


def test_there_and_back(run, put):
    put("in/a.png", "in/deep/b.png", "in/deep/er/c.PNG", "in/bad.jpg", "in/notes.txt", "in/.hidden/d.png", "in/._e.png")
    result = run("encode", "-r", "in", "-o", "out", *QUICK, "-j", 2, "--json")
    assert result.code == 3
    assert tree("out") == ["a.nfc", "deep/b.nfc", "deep/er/c.nfc"]
    assert "4 files: 3 encoded, 1 failed" in result.err
    by_input = {line["input"]: line for line in lines_of(result)}
    assert sorted(by_input) == ["in/a.png", "in/bad.jpg", "in/deep/b.png", "in/deep/er/c.PNG"]
    assert by_input["in/bad.jpg"]["reason"] == "image.unknown"
    assert by_input["in/deep/b.png"]["path"] == "out/deep/b.nfc"
    assert by_input["in/deep/b.png"]["bytes"] == os.path.getsize("out/deep/b.nfc")
    assert result.err.count("nfcodec: error: ") == 1

    Path("out/a.nfc").write_bytes(b"not one")
    put("in/new.png")
    result = run("encode", "-r", "in", "-o", "out", *QUICK, "--json")
    assert result.code == 3
    assert Path("out/a.nfc").read_bytes() == b"not one"
    assert "5 files: 1 encoded, 3 skipped" in result.err
    skipped = {"input": "in/a.png", "path": "out/a.nfc", "skipped": True}
    assert lines_of(result).count(skipped) == 1

    result = run("verify", "-r", "out")
    assert result.code == 4
    assert "nfcodec: error: out/a.nfc: " in result.err
    assert "4 files: 3 verified, 1 failed" in result.err
    result = run("decode", "-r", "out", "-o", "back/again", "--format", "ppm")
    assert result.code == 4
    assert tree("back") == ["again/deep/b.ppm", "again/deep/er/c.ppm", "again/new.ppm"]


def test_one_file_and_many_give_the_same(run, put):
    put("a.png", "b.png", "c.png")
    options = ("--psnr", 30, "--transform", "rpp", *QUICK, "--json")
    [one] = lines_of(run("encode", "a.png", "one.nfc", *options))
    many = lines_of(run("encode", "a.png", "b.png", "c.png", *options))
    for line in many:
        assert Path(line["path"]).read_bytes() == Path("one.nfc").read_bytes()
        assert {*line} == {*one, "input"}


def test_notes_of_many_files_are_for_those_who_want_to_know(run, put, here):
    put("a.png", "b.png")
    result = run("encode", "a.png", "b.png", "--transform", "rpp", *QUICK)
    assert "note:" not in result.err
    assert result.err.count("bytes, ") == 2
    assert run("encode", "a.png", "b.png", "--transform", "rpp", *QUICK, "-f", "-v").err.count(".png: rpp put") == 2
    assert run("encode", "a.png", "b.png", "--transform", "rpp", *QUICK, "-f", "-q").err == ""


def test_info_and_verify_of_many(run, put):
    put("a.nfc", "b.nfc", "c/d.nfc")
    text = run("info", "-r", ".").out.decode()
    assert [line.split()[1] for line in text.splitlines() if line.startswith("path")] == [
        "./a.nfc",
        "./b.nfc",
        "./c/d.nfc",
    ]
    assert [line["input"] for line in lines_of(run("info", "a.nfc", "b.nfc", "--json"))] == ["a.nfc", "b.nfc"]
    assert run("verify", "a.nfc", "b.nfc", "--reference", "a.nfc").code == 2


# ------------------------------------------------------------------------------------------------------ inputs


@pytest.mark.parametrize(
    "arguments",
    [
        ("a.png", "-o", "out/"),
        ("a.png", "-o", "out"),
        ("a.png", "a.png", "./a.png", "-o", "out"),
        ("-r", "a.png", "-o", "out"),
    ],
    ids=" ".join,
)
def test_one_input_into_a_directory(run, put, here, arguments):
    put("a.png")
    assert run("encode", *QUICK, *arguments).code == 0
    assert tree() == ["a.png", "out/a.nfc"]


@pytest.mark.parametrize("output", ["b.nfc", "old", "-"])
def test_one_input_into_a_file(run, put, output):
    put("a.png")
    Path("old").touch()
    result = run("encode", *QUICK, "a.png", "-f", "-o", output)
    assert result.code == 0
    assert (result.out if output == "-" else Path(output).read_bytes()).startswith(b"\x8bNFC")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a.png", "a.jpg"), 2, "a.png and a.jpg would both become a.nfc"),
        (("a.png", "b.png", "c/a.png", "-o", "out"), 2, "a.png and c/a.png would both become out/a.nfc"),
        (("-r", "c", "d", "-o", "out"), 2, "c/a.png and d/a.png would both become out/a.nfc"),
        (("a.png", "b.png", "-o", "link"), 2, "a.png and b.png would both become link/b.nfc"),
        (("a.png", "b.png", "-", "-o", "out"), 2, "standard input has no name"),
        (("a.png", "b.png", "-o", "-"), 2, "several outputs cannot all go to standard output"),
        (("a.png", "b.png", "-o", "out.nfc"), 2, "several outputs cannot all be the file out.nfc"),
        (("a.png", "b.png", "-o", "bad"), 7, "cannot write into bad: it is no directory"),
        (("a.png", "b.png", "-o", "bad/out"), 7, "cannot write into bad/out: Not a directory"),
        (("a.png", "-o", "bad/out/"), 7, "cannot write into bad/out/"),
        (("-f", "b.png", "c/a.png", "d/b.png"), 2, "d/b.png would become d/b.nfc, which is the input b.png"),
        (("a.png", "b.png", "--effort", 1, "--transform", "frog"), 2, "frog"),
        (("a.png", "b.png", "-j", 0), 2, "0 is not in the range"),
        (("a.png", "b.png", "-j", 2, "--ray", "auto"), 2, "give one of them at most"),
    ],
    ids=str,
)
@posix
def test_what_is_refused_before_anything_is_begun(run, put, monkeypatch, arguments, code, words):
    put("a.png", "a.jpg", "b.png", "c/a.png", "d/a.png", "bad")
    os.mkdir("link")
    os.symlink("b.nfc", "link/a.nfc")
    os.symlink("../b.png", "d/b.nfc")
    os.symlink("a.png", "d/b.png")
    before = tree()
    monkeypatch.setattr(_many, "_executor", lambda *_: pytest.fail("it has begun"))
    result = run("encode", *arguments)
    assert result.code == code
    assert words in result.err
    assert tree() == before


@posix
def test_links_and_loops(run, put, here):
    put("in/a.png", "in/deep/b.png", "elsewhere/c.png")
    os.symlink("..", "in/deep/loop")
    os.symlink("loop2", "in/loop2")
    os.symlink("../elsewhere", "in/other")
    os.symlink("../elsewhere/c.png", "in/link.png")
    os.symlink("nowhere.png", "in/dangling.png")
    os.symlink("in", "start")
    os.mkfifo("in/pipe.png")
    result = run("encode", "-r", "start", "-o", "out", *QUICK)
    assert result.code == 3
    assert result.err.count("error") == 1
    assert "cannot read start/dangling.png" in result.err
    assert tree("out") == ["a.nfc", "deep/b.nfc", "link.nfc"]


def test_bad_inputs_do_not_stop_the_others(run, put, here):
    put("a.png", "folder/b.png", "x.nfc", "cut.nfc")
    os.mkdir("empty")
    result = run("encode", "missing.png", "folder", "x.nfc", "a.png", "-o", "out", *QUICK)
    assert result.code == 3
    assert tree("out") == ["a.nfc"]
    assert "cannot read missing.png" in result.err
    assert "cannot read folder" in result.err
    assert "x.nfc has the name of an .nfc file" in result.err
    assert "4 files: 1 encoded, 3 failed" in result.err
    result = run("encode", "-r", "folder", "empty", "-o", "out", *QUICK)
    assert result.code == 3
    assert "cannot read empty: there is no file in it that ends in .avif, " in result.err
    assert tree("out") == ["a.nfc", "b.nfc"]
    Path("cut.nfc").write_bytes(Path("x.nfc").read_bytes()[:-9])
    result = run("decode", "a.png", "cut.nfc", "missing.nfc", "x.nfc", "--json")
    assert result.code == 4
    assert [line.get("code") for line in lines_of(result)] == [4, 4, 3, None]
    assert Path("x.png").exists()


def test_directories_that_cannot_be_read(run, put, here, monkeypatch):
    put("in/a.png", "in/shut/b.png")
    scandir = os.scandir

    def refuse(path="."):
        if os.fspath(path).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = run("encode", "-r", "in", "-o", "out", *QUICK)
    assert result.code == 3
    assert "cannot read in/shut: Permission denied" in result.err
    assert tree("out") == ["a.nfc"]


def test_outputs_that_cannot_be_written(run, put, here):
    put("in/a.nfc", "in/deep/b.nfc", "out/deep")
    os.mkdir("out/a.png")
    result = run("decode", "-r", "in", "-o", "out")
    assert result.code == 7
    assert "out/a.png: it is a directory" in result.err
    assert "cannot write into out/deep: " in result.err


def test_suffixes_that_are_looked_for():
    """Each is of a kind of picture that is read."""
    assert READ_SUFFIXES < PICTURE_SUFFIXES
    kinds = {suffix: kind for suffix, kind in Image.registered_extensions().items() if kind in READ}
    assert READ_SUFFIXES - {".npy"} == {suffix for suffix in kinds if suffix in PICTURE_SUFFIXES} & READ_SUFFIXES
    assert {kinds[suffix] for suffix in READ_SUFFIXES - {".npy"}} == {*READ}


# ------------------------------------------------------------------------------------------------------ processes


def work_on(texts, n_processes):
    """Let processes do what the texts say; returns the exit code."""
    names = [f"{i}.txt" for i in range(len(texts))]
    for name, text in zip(names, texts, strict=True):
        Path(name).write_text(text)
    with _signals.as_exceptions():
        return _many.run(Deeds(), Given(names), Many(n_processes))


@posix
def test_processes_that_end_lose_their_file_only(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert work_on(["die", "one", "abort", "memory", "exit", "two", "three"], 2) == 6
    err = capsys.readouterr().err
    assert tree() == sorted([*(f"{i}.txt" for i in range(7)), "1.out", "5.out", "6.out"])
    assert "0.txt: the process that worked on it was killed (SIGKILL), as systems do when memory runs out" in err
    assert "2.txt: the process that worked on it was ended by SIGABRT" in err
    assert "3.txt: out of memory" in err
    assert "4.txt: the process that worked on it ended with the exit code 7" in err
    assert "7 files: 3 done, 4 failed" in err


def test_processes_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nfcodec.workers.n_threads", lambda: 1)
    assert work_on(["threads"], 3) == 0
    assert Path("0.out").read_text() == "1 1"
    assert _processes.shared_out(8, 3) == [3, 3, 2]
    assert _processes.shared_out(8, 1) == [8]
    assert _processes.shared_out(2, 4) == [1, 1, 1, 1]


@contextlib.contextmanager
def two_at_work(folder, *options):
    """A call in a group of processes of its own, of which one sleeps, and which has written one file."""
    for name, text in (("a.txt", "one"), ("b.txt", "sleep"), ("c.txt", "sleep"), ("d.txt", "two")):
        (folder / name).write_text(text)
    command = [sys.executable, "-c", DEEDS, "a.txt", "b.txt", "c.txt", "d.txt", "-j", "2", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **pipes) as process:
        try:
            assert process.stderr
            assert process.stderr.readline() == "a.txt has become one\n"
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def all_have_ended(process):
    """Whether nobody is left of a group but those who wait for their parent to notice."""
    for _ in range(100):
        listed = subprocess.run(["ps", "-e", "-o", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in listed.splitlines()]
        if not any(group == str(process.pid) and not state.startswith("Z") for group, state in rows):
            return True
        time.sleep(0.1)
    return False


@posix
@pytest.mark.parametrize(("number", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_signals_end_all(tmp_path, number, code, word):
    """As from a terminal, the whole group hears them."""
    with two_at_work(tmp_path) as process:
        os.killpg(process.pid, getattr(signal, number))
        _, err = process.communicate(timeout=60)
        assert process.returncode == code
        said, how = filter(None, err.splitlines())
        assert said == "so far, of 4 files: 1 done"
        assert how.startswith(f"nfcodec: {word}")
        assert all_have_ended(process)
    assert tree(tmp_path) == ["a.out", "a.txt", "b.txt", "c.txt", "d.txt"]


@posix
def test_processes_end_with_a_parent_that_is_killed(tmp_path):
    with two_at_work(tmp_path) as process:
        process.kill()
        process.wait(60)
        assert all_have_ended(process)


@posix
def test_closed_pipe(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text("sleep" if name == "b" else name)
    command = [sys.executable, "-c", DEEDS, "a.txt", "b.txt", "c.txt", "-j", "2", "--json", "-q"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True, **pipes) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 7
        assert all_have_ended(process)


# ------------------------------------------------------------------------------------------------------ the bar


def test_one_bar_for_all(tmp_path):
    jobs = [Job(str(tmp_path / name)) for name in ("a", "b")]
    (tmp_path / "a").write_bytes(bytes(2999))
    (tmp_path / "b").write_bytes(bytes(999))
    total = Total(jobs)
    assert (total.line().name, total.line().share, total.line().left) == ("0 of 2 files", 0.0, "")
    total.tell(jobs[0], 0.5)
    assert total.line().share == pytest.approx(3 / 8)
    assert total.line().left.endswith(" s left")
    total.end(jobs[0])
    assert (total.line().name, total.line().share) == ("1 of 2 files", pytest.approx(3 / 4))
    total.tell(jobs[1], 0.2)
    total.end(jobs[1])
    assert (total.line().name, total.line().share) == ("2 of 2 files", 1.0)


def test_the_bar_on_a_terminal(run, put, here, monkeypatch):
    put("a.nfc", "b.nfc")
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    assert run("decode", "a.nfc", "b.nfc", "--json").code == 0
    assert "2 of 2 files" in terminal.getvalue()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    for quiet in (["--json"], ["-q"]):
        terminal.truncate(0)
        assert run("decode", "a.nfc", "b.nfc", "-f", *quiet).code == 0
        assert "of 2 files" not in terminal.getvalue()
