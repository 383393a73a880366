import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from nfcodec.cli import command


def completed(*arguments, incomplete=""):
    """What a shell is told: words, or that it is to complete names of files itself."""
    complete = ShellComplete(command, {}, "nfcodec", "_NFCODEC_COMPLETE")
    items = complete.get_completions(list(arguments), incomplete)
    return [item.value if item.type == "plain" else item.type for item in items]


@pytest.mark.parametrize(
    "arguments",
    [("encode",), ("encode", "a.png"), ("decode",), ("decode", "a.nfc"), ("info",), ("verify",),
     ("verify", "--reference"), ("compare",), ("compare", "a.png")],
    ids=" ".join,
)  # fmt: skip
def test_files(arguments):
    assert completed(*arguments, incomplete="a") == ["file"]


def test_transforms():
    assert completed("encode", "--transform", incomplete="r") == ["rpp"]
    assert completed("encode", "--transform", incomplete="standardize+s") == [
        "standardize+standardize",
        "standardize+scale",
        "standardize+sympower",
    ]
    assert {"none", "rpp", "gamma"} <= set(completed("encode", "--transform"))


def test_fields_and_verbs():
    assert completed("encode", "--field", incomplete="s") == ["siren", "samples"]
    assert {"auto", "wavelet", "table", "ngp"} <= set(completed("encode", "--field"))
    assert completed(incomplete="e") == ["encode"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts(run, shell):
    result = run("completion", shell)
    assert (result.code, result.err) == (0, "")
    assert f"_NFCODEC_COMPLETE={shell}_complete".encode() in result.out
    assert completed("completion", incomplete=shell[0]) == [shell]


def test_another_shell(run):
    result = run("completion", "tcsh")
    assert (result.code, result.out) == (2, b"")


@pytest.mark.skipif(os.name != "posix", reason="bash")
def test_bash_completes_a_chain(run, tmp_path):
    """What its script puts into COMPREPLY for `nfcodec encode --transform standardize+r`."""
    bin = tmp_path / "bin"
    bin.mkdir()
    program = f"#!{sys.executable}\nimport sys\nfrom nfcodec.cli import main\nsys.exit(main())\n"
    (bin / "nfcodec").write_text(program)
    (bin / "nfcodec").chmod(0o755)
    script = run("completion", "bash").out.decode()
    script += "COMP_WORDS=(nfcodec encode --transform standardize+r)\nCOMP_CWORD=3\n"
    script += '_nfcodec_completion nfcodec\necho "${COMPREPLY[@]}"\n'
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}", "PYTHONPATH": root}
    done = subprocess.run(["bash"], input=script, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["standardize+rpp"], done.stderr
