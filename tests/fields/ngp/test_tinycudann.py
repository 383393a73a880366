"""Fields in tiny-cuda-nn's terms, held against the golden vectors of its configurations and parameter order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from nfcodec.errors import EngineError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel, hash_levels
from nfcodec.fields.ngp.tinycudann import configuration, flatten, size, unflatten
from nfcodec.fitting.starts import uniform_start

FOLDER = Path(__file__).parents[2] / "golden"
NETWORKS = json.loads((FOLDER / "network_golden.json").read_text())["cases"]
GRIDS = [
    case
    for case in json.loads((FOLDER / "hashgrid_golden.json").read_text())["cases"]
    if (case["encoding_config"]["type"], case["encoding_config"].get("interpolation", "Linear")) == ("Hash", "Linear")
]


def levels_of(encoding: dict) -> tuple[HashLevel, ...]:
    keys = ("n_levels", "n_features_per_level", "log2_hashmap_size", "base_resolution", "per_level_scale")
    return hash_levels(*(encoding[key] for key in keys))


def golden_field(case: dict) -> Ngp:
    network = case["network_config"]
    return Ngp(levels_of(case["encoding_config"]), hidden=(network["n_neurons"],) * network["n_hidden_layers"])


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case["name"])
def test_configurations_are_the_golden_ones(case):
    found = configuration(golden_field(case))
    levels = levels_of({**case["encoding_config"], **found.encoding})
    assert levels == golden_field(case).levels
    assert found.network == case["network_config"]
    for key in ("otype", "type", "interpolation", "n_levels", "n_features_per_level", "base_resolution"):
        assert found.encoding[key] == case["encoding_config"][key]


@pytest.mark.parametrize("case", GRIDS, ids=lambda case: case["name"])
def test_growth_factors_are_found_again(case):
    levels = levels_of(case["encoding_config"])
    found = configuration(Ngp(levels)).encoding
    assert levels_of(found) == levels
    assert np.float32(found["per_level_scale"]) == found["per_level_scale"]


@pytest.mark.parametrize("side", [33, 64, 256, 512, 768, 2040, 4096])
@pytest.mark.parametrize("log2_size", [12, 19, 24])
def test_instant_ngp_at_many_sizes(side, log2_size):
    field = Ngp.instant(side, log2_size)
    assert levels_of(configuration(field).encoding) == field.levels


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case["name"])
def test_parameters_are_where_the_golden_vectors_have_them(case):
    field, channels = golden_field(case), case["n_output_dims"]
    flat = np.arange(case["n_params"], dtype=np.float32)
    assert size(field, channels) == case["n_params"]
    found = unflatten(field, channels, flat)
    layout = field.layout(Geometry(4, 4, channels))
    assert [(tensor.name, tensor.shape) for tensor in layout] == [(name, value.shape) for name, value in found.items()]
    for i, (offset, (_, cols)) in enumerate(zip(case["matrix_offsets"], case["matrix_shapes"], strict=True)):
        weight = found[f"weight{i}"]
        rows, columns = np.indices(weight.shape)
        assert np.array_equal(weight, offset + rows * cols + columns)
    grid = np.concatenate([found[f"level{i}"].reshape(-1) for i in range(len(field.levels))])
    assert np.array_equal(grid, flat[case["n_network_params"] :])


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case["name"])
def test_there_and_back(case):
    field, channels = golden_field(case), case["n_output_dims"]
    parameters = uniform_start(field.layout(Geometry(4, 4, channels)), 0)
    flat = flatten(field, channels, parameters)
    assert (flat.shape, flat.dtype) == ((case["n_params"],), np.float32)
    back = unflatten(field, channels, flat)
    assert list(back) == list(parameters)
    assert all(np.array_equal(back[name], value) for name, value in parameters.items())
    kept = unflatten(field, channels, np.ones_like(flat))
    assert np.count_nonzero(flat) <= sum(value.size for value in kept.values())  # padding is zero


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (Ngp(hash_levels(4, 2, 14, 16, 2.0), hidden=(64, 32)), "one width"),
        (Ngp(hash_levels(4, 2, 14, 16, 2.0), hidden=(24,)), "multiple of 16"),
        (Ngp((HashLevel(15.0, 16, 256, 2), HashLevel(40.5, 42, 64, 2), HashLevel(41.5, 43, 64, 2))), "growth"),
    ],
)
def test_what_tiny_cuda_nn_has_not_is_refused(field, reason):
    with pytest.raises(EngineError, match=reason):
        configuration(field)


def test_wide_networks_take_the_other_implementation():
    assert configuration(Ngp(hash_levels(4, 2, 14, 16, 2.0), hidden=(48, 48))).network["otype"] == "CutlassMLP"
