"""Where the command line writes, and where it refuses to: no picture is replaced by what was made from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nfcodec.codec
from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster
from tests.cli.commands import PNG, assert_one_clear_line, files, picture

OTHER = image_bytes(Raster.from_array(255 - picture().samples))


@pytest.fixture
def put(run, nfc):
    """Write files into the directory of `run`: an .nfc file or a picture, by their names."""

    def put_all(*names):
        for name in names:
            Path(name).write_bytes(nfc if name.endswith(".nfc") else PNG)

    return put_all


def refused(run, *arguments, code=2, stdin=b""):
    """Run a command that must change nothing; returns its line of error."""
    before = {name: Path(name).read_bytes() for name in files() if os.path.isfile(name)}
    result = run(*arguments, stdin=stdin)
    assert result.code == code, result.err
    assert_one_clear_line(result)
    assert {name: Path(name).read_bytes() for name in files() if os.path.isfile(name)} == before
    return result.err.splitlines()[0]


# ------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("overwrite", [(), ("-f",)], ids=["", "-f"])
@pytest.mark.parametrize("target", ["b.png", "b.JPG", "b.npy", "b.webp", "missing.tiff", "link"])
def test_encode_writes_no_picture(run, put, overwrite, target):
    put("a.png", "b.png", "b.JPG", "b.npy", "b.webp")
    os.symlink("b.png", "link")
    message = refused(run, "encode", *overwrite, "--fast", "a.png", "-o", target)
    assert f"{target} has the name of a picture, but encode writes an .nfc file" in message
    if not os.path.exists(target):
        assert refused(run, "encode", *overwrite, "--fast", "a.png", target) == message


@pytest.mark.parametrize("overwrite", [(), ("-f",)], ids=["", "-f"])
@pytest.mark.parametrize("target", ["b.nfc", "missing.NFC", "link"])
def test_decode_writes_no_nfc_file(run, put, overwrite, target):
    put("a.nfc", "b.nfc")
    os.symlink("b.nfc", "link")
    for options in ((), ("--format", "png")):
        message = refused(run, "decode", *overwrite, *options, "a.nfc", "-o", target)
        assert f"{target} has the name of an .nfc file, but decode writes a picture" in message
        if not os.path.exists(target):
            assert refused(run, "decode", *overwrite, *options, "a.nfc", target) == message


def test_a_wildcard_destroys_nothing(run, put):
    """Two pictures that are there are two inputs."""
    put("a.png", "b.png")
    assert run("encode", "-f", "--fast", "a.png", "b.png").code == 0
    assert files() == ["a.nfc", "a.png", "b.nfc", "b.png"]
    assert (Path("a.png").read_bytes(), Path("b.png").read_bytes()) == (PNG, PNG)


@pytest.mark.parametrize(("verb", "n"), [("compare", 3), ("doctor", 1)])
def test_too_many_files(run, put, verb, n):
    put("1.nfc", "2.nfc", "3.nfc")
    assert f"and {n}.nfc is too much" in refused(run, verb, *files()[:n])


def test_input_and_output_are_never_the_same_file(run, put):
    put("self")
    os.symlink("self", "soft")
    os.link("self", "hard")
    for source, target in (("self", "self"), ("self", "./self"), ("self", "soft"), ("soft", "self"), ("self", "hard")):
        message = refused(run, "encode", "-f", "--fast", source, target)
        assert f"IN and OUT are the same file, {target}" in message
    Path("soft").unlink()
    os.rename("self", "x.nfc")  # a picture, whatever its name; the default output is this very file
    assert "the same file" in refused(run, "encode", "-f", "--fast", "x.nfc")
    put("a.nfc")
    os.rename("a.nfc", "a.png")
    assert "the same file" in refused(run, "decode", "-f", "a.png", "a.png")


@pytest.mark.skipif(os.name != "posix", reason="POSIX redirections")
def test_redirected_input_and_output_are_never_the_same_file(tmp_path, nfc):
    (tmp_path / "a").write_bytes(nfc)
    lines = (
        "decode - a -f < a", "decode a - >> a", "decode - - < a >> a", "decode a /dev/stdout >> a",
        "compare - - --html a -f < a", "encode b - --report a -f >> a",
    )  # fmt: skip
    for line in lines:
        result = shell(f"nfcodec {line}", tmp_path)
        assert (result.returncode, result.stdout) == (2, b"")
        assert b"the same file" in result.stderr
        assert (tmp_path / "a").read_bytes() == nfc


# ------------------------------------------------------------------------------------------------------ advice


def test_no_message_proposes_to_replace_a_picture(run, put):
    put("a.png", "a.nfc")
    for arguments in (("a.nfc",), ("a.nfc", "a.png")):
        message = refused(run, "decode", *arguments, code=7)
        assert "a.png exists already; " in message
        assert message.endswith("name another OUT, as a-decoded.png")
        assert "-f" not in message
    put("a-decoded.png", "a-decoded-2.png")
    assert refused(run, "decode", "a.nfc", code=7).endswith("as a-decoded-3.png")
    assert run("decode", "a.nfc", "a-decoded-3.png").code == 0


def test_a_picture_that_appears_meanwhile(run, put, monkeypatch):
    decode = nfcodec.codec.decode

    def slow(data, *arguments):
        put("a.png")
        return decode(data, *arguments)

    put("a.nfc")
    monkeypatch.setattr(nfcodec.codec, "decode", slow)
    result = run("decode", "a.nfc")
    assert result.code == 7
    assert "name another OUT, as a-decoded.png" in result.err
    assert Path("a.png").read_bytes() == PNG


def test_an_older_encode_may_be_replaced(run, put):
    put("a.png", "a.nfc")
    assert "(-f)" in refused(run, "encode", "a.png", code=7)
    assert run("encode", "-f", "--fast", "a.png").code == 0


# ------------------------------------------------------------------------------------------------------ odd paths


@pytest.mark.parametrize("source", ["/", ".", "", "folder/", "a\0b"])
@pytest.mark.parametrize("verb", ["encode", "decode", "info", "verify"])
def test_paths_of_no_file(run, verb, source):
    os.mkdir("folder")
    assert refused(run, verb, source, code=3).startswith("nfcodec: error: cannot read ")


def test_every_bad_file_is_named(run, put, monkeypatch):
    put("a.png", "b.nfc")
    Path("big.ppm").write_bytes(b"P5 100000 100000 65535\n")
    for arguments, name in (
        (("encode", "big.ppm"), "big.ppm"),
        (("compare", "a.png", "big.ppm"), "big.ppm"),
        (("compare", "big.ppm", "a.png"), "big.ppm"),
        (("verify", "b.nfc", "--reference", "big.ppm"), "big.ppm"),
        (("encode", "-"), "standard input"),
    ):
        message = refused(run, *arguments, code=6, stdin=Path("big.ppm").read_bytes())
        assert message.startswith(f"nfcodec: error: {name}: ")


# ------------------------------------------------------------------------------------------------------ streams by name


def shell(line: str, here: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash, in which `nfcodec` is this one."""
    function = f'nfcodec() {{ "{sys.executable}" -m nfcodec "$@"; }}\n'
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = ["bash", "-c", function + line]
    return subprocess.run(command, cwd=here, env=environment, capture_output=True, timeout=120, check=False)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.parametrize("target", ["-", "/dev/stdout", "/dev/fd/1", "/dev/stdout > out", "/dev/stdout | cat > out"])
def test_names_of_standard_output(tmp_path, nfc, target):
    (tmp_path / "a.nfc").write_bytes(nfc)
    result = shell(f"nfcodec decode a.nfc {target}", tmp_path)
    assert (result.returncode, result.stderr) == (0, b"")
    data = (tmp_path / "out").read_bytes() if "out" in os.listdir(tmp_path) else result.stdout
    assert data.startswith(b"\x89PNG")
    assert data.endswith(b"IEND\xaeB`\x82")


@pytest.mark.skipif(not os.path.exists("/dev/fd"), reason="needs /dev/fd")
def test_other_streams_by_name(tmp_path, nfc):
    (tmp_path / "a.nfc").write_bytes(nfc)
    result = shell("nfcodec decode a.nfc >(cat > out; echo done > end); until [ -s end ]; do sleep 0.1; done", tmp_path)
    assert result.stderr == b""
    assert (tmp_path / "out").read_bytes().startswith(b"\x89PNG")
    result = shell("nfcodec info /dev/stdin < a.nfc && nfcodec info <(cat a.nfc)", tmp_path)
    assert result.returncode == 0, result.stderr
    result = shell("nfcodec decode /dev/stdin < a.nfc | head -c 4", tmp_path)
    assert result.stdout == b"\x89PNG"


def test_json_and_the_file_cannot_both_go_to_standard_output_by_name(run):
    if not os.path.exists("/dev/stdout"):
        pytest.skip("needs /dev/stdout")
    result = run("encode", "-", "/dev/stdout", "--json", stdin=PNG)
    assert result.code == 2
    assert "cannot both go to standard output" in result.err
