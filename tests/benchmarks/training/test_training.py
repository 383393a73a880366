"""Training, for a few steps on a few crops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import torch

from benchmarks.training import contexts, filters, starts
from benchmarks.training.crops import crops, install, packed
from nfcodec.fields.wavelet import MAX_FILTERS, N_INPUTS, unpack_networks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pictures")
    y, x = np.mgrid[:70, :90]
    noise = np.random.default_rng(0).normal(0, 8, (70, 90, 3))
    picture = np.stack([128 + 60 * np.sin(x / (3 + c)) + 50 * np.cos(y / 4) for c in range(3)], 2) + noise
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(found / "a.png")
    return found


def test_crops_lie_inside(folder: Path) -> None:
    with Image.open(folder / "a.png") as image:
        picture = np.asarray(image)
    found = crops([folder], 5, 80, np.random.default_rng(0))
    assert {crop.shape for crop in found} == {(70, 80, 3)}
    assert all(any(np.array_equal(crop, picture[:, left : left + 80]) for left in range(11)) for crop in found)


def test_weights_are_sixteen_bit_integers(tmp_path: Path) -> None:
    blob = packed(np.array([1.4, -2.6, 32767.0]))
    assert np.frombuffer(blob, "<i2").tolist() == [1, -3, 32767]
    assert install(blob, tmp_path / "weights.bin").startswith("6 bytes, SHA-256 ")
    assert (tmp_path / "weights.bin").read_bytes() == blob
    with pytest.raises(ValueError, match="16 bits"):
        packed(np.array([32767.6]))


def test_networks_learn(folder: Path) -> None:
    rng = np.random.default_rng(0)
    coded = [contexts.fitted(picture, seed) for seed, picture in enumerate(crops([folder], 2, 40, rng), 1)]
    data = contexts.collect(coded, 1.0, rng)
    recipe = contexts.Recipe(hidden=4, steps=1, batch=256, rate=2e-2, share=1.0, held_out=0, processes=1)
    scores: list[float] = []
    for steps in (1, 20):
        networks = {key: contexts.train(key, each, replace(recipe, steps=steps)) for key, each in data.items()}
        blob = contexts.pack(networks, recipe.hidden)
        scores.append(contexts.score(unpack_networks(blob), data))
    assert scores[1] < scores[0]


def test_filters_learn(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    pairs = filters.collect(crops([folder], 2, 48, np.random.default_rng(0)), np.random.default_rng(0))
    values = filters.train(pairs, pairs, 2, 5e-3, np.random.default_rng(0))
    assert values.shape == (MAX_FILTERS, N_INPUTS + 1)
    assert np.all(values == np.round(values))
    assert np.all(values[:, :-1].reshape(MAX_FILTERS, -1, 3).sum(1) == 0)  # they do not see a constant
    assert f"first {MAX_FILTERS}: " in capsys.readouterr().out


def test_least_squares_takes_away_what_it_can() -> None:
    response = torch.randn(2, 5, 6, 7)
    missing = torch.einsum("of,bfyx->boyx", torch.randn(3, 5), response)
    assert filters.remaining(response, missing, 1e-9).abs().max() < 1e-3
    assert filters.remaining(response, torch.randn(2, 3, 6, 7), 1e-9).abs().max() > 0.1


def test_starts_are_ranked_by_what_they_end_at(folder: Path) -> None:
    found = starts.ranked([folder], n_seeds=3, n_crops=2, side=32, n_steps=4, price=1e-3)
    assert sorted(each.seed for each in found) == [0, 1, 2]
    assert [each.excess for each in found] == sorted(each.excess for each in found)
    assert sum(each.excess for each in found) == pytest.approx(0, abs=1e-9)
    assert len({each.excess for each in found}) == 3
