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
