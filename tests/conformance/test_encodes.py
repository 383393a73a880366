"""A change of structure changes no file: digests of small encodes, family by goal by chain."""

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "encodes.json").read_text(encoding="ascii"))
QUICK = ["table-psnr-rpp", "pyramid-psnr-zigzag", "siren-psnr-rpp", "ngp-psnr", "wavelet-psnr-16-bits"]
"""One of each family, for every run of the tests; all others are slow."""


@pytest.fixture(scope="module")
def encodes():
    spec = importlib.util.spec_from_file_location("encodes", HERE / "encodes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare(encodes, names):
    here = encodes.machine()
    if here != RECORD["machine"]:
        pytest.skip(f"recorded with {RECORD['machine']}, not with {here}")
    assert encodes.digests(names) == {name: RECORD["digests"][name] for name in names}


def test_every_case_is_recorded(encodes):
    assert set(RECORD["digests"]) == set(encodes.cases())


def test_one_file_of_each_family_is_the_recorded_one(encodes):
    compare(encodes, QUICK)


@pytest.mark.slow
def test_all_other_files_are_the_recorded_ones(encodes):
    compare(encodes, [name for name in RECORD["digests"] if name not in QUICK])
