"""A change of structure changes no file: digests of small encodes, family by goal by chain."""

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RECORD = json.loads((HERE / "encodes.json").read_text(encoding="ascii"))


@pytest.fixture(scope="module")
def encodes():
    spec = importlib.util.spec_from_file_location("encodes", HERE / "encodes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_case_is_recorded(encodes):
    assert set(RECORD["digests"]) == set(encodes.cases())


@pytest.mark.parametrize("name", RECORD["digests"])
def test_the_file_is_the_recorded_one(encodes, name):
    here = encodes.machine()
    if here != RECORD["machine"]:
        pytest.skip(f"recorded with {RECORD['machine']}, not with {here}")
    assert encodes.digest_of(name) == RECORD["digests"][name]
