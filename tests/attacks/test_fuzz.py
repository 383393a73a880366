"""What the standing attack found stays mended, and the attack itself works: a few hundred of its inputs."""

from __future__ import annotations

import collections
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs a system that limits and measures memory")

from fuzz import cases, examine, files, minimise, pictures, seeds

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")  # of Pillow, which goes on

FINDS = sorted(path for path in Path(__file__).with_name("finds").glob("*") if path.suffix in (".nfc", ".image"))
SEEDS = seeds.read_seeds(None)


@pytest.mark.parametrize("path", FINDS, ids=lambda path: path.name)
def test_find(path: Path):
    """A find's name begins with the outcome that it must have: "value" or the code of an error."""
    expected = path.name.partition("--")[0]
    assert examine.examine(path.read_bytes(), path.suffix == ".nfc").kind == expected


def test_seeds_are_read():
    for seed in SEEDS:
        kind = examine.examine(seed.data, seed.is_nfc).kind
        assert kind == "value" or (kind == "image.mode" and "CMYK" in seed.name), seed.name


def test_inputs_can_be_made_again():
    for number in range(20):
        assert cases.case(SEEDS, 3, number).data() == cases.case(SEEDS, 3, number).data()


def test_most_inputs_pass_the_container_and_all_end_well():
    kinds, n_passed, n = collections.Counter(), 0, 200
    for number in range(n):
        case = cases.case(SEEDS, 0, number)
        outcome = examine.examine(case.data(), case.seed.is_nfc)
        assert not outcome.kind.startswith(examine.FIND), (number, case.name, outcome)
        kinds[outcome.kind] += 1
        n_passed += outcome.passed
    assert n_passed > n / 2
    assert kinds["value"] > n / 20
    assert len(kinds) > 15


@pytest.mark.parametrize("mutation", files.MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_each_mutation_of_files_changes_some_and_keeps_most_headers(mutation):
    others = [seed.data for seed in SEEDS if seed.is_nfc][:3]
    some = [seed.data for seed in SEEDS if seed.is_nfc][::4]
    made = [files.mutated(mutation, number, data, others) for number, data in enumerate(some)]
    assert sum(data != before for data, before in zip(made, some, strict=True)) > len(made) / 3


@pytest.mark.parametrize("name", ["png-RGB", "tiff-raw", "npy8", "pnm16-3", "jpeg-RGB"])
def test_each_mutation_of_images_changes_some(name):
    data = next(seed.data for seed in SEEDS if seed.name == name)
    for mutation in pictures.mutations_of(data):
        made = [files.mutated(mutation, number, data, [data]) for number in range(20)]
        assert sum(each != data for each in made) > 5, mutation


def test_what_must_not_be_is_found(monkeypatch):
    def fail(*_):
        raise IndexError

    good = SEEDS[0].data
    monkeypatch.setattr("nfcodec.codec.decoder.decode_payload", fail)
    assert examine.examine(good, True).kind.startswith("FIND IndexError")
    monkeypatch.undo()
    monkeypatch.setattr(examine, "SLOW_S", -1.0)
    assert examine.examine(good, True).kind == "FIND slow, value"


def test_a_find_is_made_small_and_written(monkeypatch, tmp_path):
    def fail(*_):
        raise KeyError

    monkeypatch.setattr("nfcodec.codec.decoder.unpack_metadata", fail)
    seed = next(seed for seed in SEEDS if seed.name == "wavelet-metadata")
    case = cases.Case(seed, ((files.words, 1), (files.order, 2)), False, (seed.data,))
    kind, data = minimise.minimised(case)
    assert kind.startswith("FIND KeyError")
    assert len(data) < len(seed.data) / 2
    path = minimise.write_find(tmp_path, kind, data, True)
    assert path.name.startswith("unknown--find-keyerror")
    assert path.read_bytes() == data


def test_as_a_command(tmp_path):
    command = [sys.executable, "-m", "tests.attacks.fuzz.worker", "0", "0", "8", "2", str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert done.stdout.count(b'"kind"') == 4
