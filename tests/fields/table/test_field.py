from __future__ import annotations

import numpy as np
import pytest

from nfcodec.errors import FormatError, LimitError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.field import Pyramid, Table
from nfcodec.limits import DEFAULT_LIMITS, Limits

FIELDS = {"pyramid": Pyramid(2, 6), "linear": Pyramid(1), "one level": Pyramid(0, 3)}
each_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())


def random_weights(field, geometry: Geometry, seed: int = 0) -> dict[str, Quantized]:
    rng = np.random.default_rng(seed)
    return {
        tensor.name: Quantized(rng.integers(-60, 61, tensor.shape), Step(int(rng.integers(128, 256)), -14))
        for tensor in field.layout(geometry)
    }


@each_field
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (11, 14)])
def test_exact_evaluation_follows_torch(torch_outputs, field: Pyramid, shape):
    geometry = Geometry(*shape, 3)
    weights = random_weights(field, geometry)
    exact = field.evaluate(geometry, weights) * 2.0**-24
    reference = torch_outputs(field, geometry, {name: weight.values for name, weight in weights.items()})
    assert np.abs(reference).max() > 0.05
    assert np.abs(exact - reference).max() < 1e-4


def test_a_table_is_a_pyramid_of_one_level():
    geometry = Geometry(7, 5, 3)
    assert Table().layout(geometry) == Pyramid(0).layout(geometry)
    weights = random_weights(Table(), geometry)
    assert np.array_equal(Table().evaluate(geometry, weights), Pyramid(0).evaluate(geometry, weights))


@each_field
def test_overflowing_weights_are_refused(field: Pyramid):
    geometry = Geometry(5, 5, 3)
    weights = random_weights(field, geometry)
    for name, weight in weights.items():
        bad = {**weights, name: Quantized(np.maximum(weight.symbols, 1), Step(128, 100))}
        with pytest.raises(FormatError):
            field.evaluator(geometry, bad)


@pytest.mark.parametrize("arguments", [(-1,), (8,), (0, -1), (0, 4097)])
def test_bad_fields(arguments):
    with pytest.raises(UsageError):
        Pyramid(*arguments)


@pytest.mark.parametrize("data", [b"", b"\x08\0\0", b"\0\1\x10", b"\0\0", b"\0\0\0\0"])
def test_hostile_descriptions(data: bytes):
    with pytest.raises(FormatError):
        Pyramid.unpack(data)


def test_limits():
    cost = Pyramid(7, 8).cost(Geometry(512, 768, 3))
    DEFAULT_LIMITS.check_cost(cost)
    for name, bound in (("work", cost.work), ("memory_bytes", cost.memory_bytes)):
        with pytest.raises(LimitError) as refusal:
            Limits(**{f"max_{name}": 0.99 * bound}).check_cost(cost)
        assert refusal.value.code == f"limit.{name}"
