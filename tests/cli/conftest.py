import io
import sys
from types import SimpleNamespace

import pytest

import nfcodec.codec
from nfcodec.cli import main
from tests.cli.commands import PSNR_DB, picture


@pytest.fixture(scope="session")
def nfc():
    """The bytes of a small file, encoded once."""
    options = nfcodec.codec.EncodeOptions(psnr_db=PSNR_DB, transform="rpp", effort=1)
    return nfcodec.codec.encode(picture(), options).data


@pytest.fixture
def run(monkeypatch, capsysbinary, tmp_path):
    """Run a command line in an empty directory; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        code = main([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        return SimpleNamespace(code=code, out=out, err=err.decode())

    return call
