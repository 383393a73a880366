from __future__ import annotations

import math

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import OMEGA_0, Siren
from nfcodec.fields.siren.plan import initial
from nfcodec.fields.siren.rounding import folded


def values(field, parameters, geometry):
    """The field's outputs in float64."""
    axes = (np.linspace(-1, 1, n) for n in (geometry.width, geometry.height))
    x = np.stack([each.ravel() for each in np.meshgrid(*axes)], 1)
    for name in range(field.hidden_layers + 1):
        weight, bias = (parameters[f"{kind}{name}"].astype(np.float64) for kind in ("weight", "bias"))
        x = np.sin(OMEGA_0 * (x @ weight.T + bias))
    return x @ parameters["weight_out"].astype(np.float64).T + parameters["bias_out"]


@pytest.mark.parametrize("hidden_layers", [0, 1, 3])
def test_folding_keeps_values_and_puts_biases_in_a_quarter_turn(hidden_layers):
    field, geometry = Siren(9, hidden_layers), Geometry(5, 7, 3)
    parameters = initial(field, geometry, 0)
    for name in parameters:
        if name.startswith("bias"):
            parameters[name] = (4 * parameters[name]).astype(np.float32)
    result = folded(field, parameters)
    assert np.allclose(values(field, parameters, geometry), values(field, result, geometry), atol=1e-4)
    for i in range(hidden_layers + 1):
        turns = result[f"bias{i}"] * OMEGA_0 / (2 * math.pi)
        assert 0 <= turns.min() <= turns.max() <= 0.25 + 1e-6
    assert np.array_equal(result["bias_out"], parameters["bias_out"])
    assert max(float(parameters[f"bias{i}"].max()) for i in range(hidden_layers + 1)) > 0.5 * math.pi / OMEGA_0


def test_encodings_stay_as_they_are():
    field, geometry = Siren(9, 2, frequencies=3), Geometry(5, 7, 3)
    parameters = {name: (4 * value).astype(np.float32) for name, value in initial(field, geometry, 0).items()}
    assert np.allclose(
        *(values(field, {**field.untrained(), **each}, geometry) for each in (parameters, folded(field, parameters))),
        atol=1e-3,
    )
