from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.laplace import MAX_SYMBOL
from nfcodec.errors import FormatError
from nfcodec.fields.wavelet.contexts import (
    ALONG_X,
    ALONG_Y,
    HIDDEN,
    LARGEST_INPUT,
    N_KINDS,
    N_ORIENTATIONS,
    N_PASSES,
    PASSES,
    SLOPES,
    Network,
    known_before,
    n_inputs,
    networks,
    scalars,
    signed_log,
    unpack_networks,
)
from nfcodec.fields.wavelet.transform import HH, HL, LH, LL

KEYS = [(o, k, p) for o in range(N_ORIENTATIONS) for k in range(N_KINDS) for p in range(N_PASSES)]


def blob_of(hidden: int, seed: int = 0) -> bytes:
    """Networks of random weights over the whole range of 16 bits."""
    sizes = [(n_inputs(*key) + 1) * hidden + (hidden + 1) * hidden + 2 * (hidden + 1) for key in KEYS]
    weights = np.random.default_rng(seed).integers(-(2**15), 2**15, sum(sizes))
    return np.concatenate([[hidden], weights]).astype("<i2").tobytes()


def log_by_integers(v: int) -> int:
    exponent = (abs(v) + 1).bit_length() - 1
    return (32 * exponent + 32 * (abs(v) + 1) // 2**exponent - 32) * (1 if v >= 0 else -1)


@given(st.lists(st.integers(-MAX_SYMBOL, MAX_SYMBOL), min_size=1))
def test_signed_log_is_exact(values: list[int]):
    assert signed_log(np.array(values, np.int64)).tolist() == [log_by_integers(v) for v in values]


def test_signed_log_around_powers_of_two():
    values = [sign * (2**k + step) for k in range(25) for step in (-2, -1, 0) for sign in (-1, 1)]
    assert signed_log(np.array(values)).tolist() == [log_by_integers(v) for v in values]
    assert signed_log(np.array([0, 1, -1, 3, MAX_SYMBOL])).tolist() == [0, 32, -32, 64, 32 * 24]
    assert np.all(np.diff(signed_log(np.arange(-40, 41))) > 0)


def test_known_neighbours_come_from_earlier_passes():
    assert known_before(0) == []
    for index, (row, col) in enumerate(PASSES):
        known = known_before(index)
        assert known == sorted(known)
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                before = PASSES.index(((row + dy) % 2, (col + dx) % 2)) < index
                assert before == ((dy, dx) in known)


def test_n_inputs():
    known = [len(known_before(index)) for index in range(N_PASSES)]
    assert known == [0, 4, 12, 16]
    assert [n_inputs(LL, 0, p) for p in range(4)] == [3 + n for n in known]
    assert [n_inputs(o, 0, 0) for o in (HL, LH, HH)] == [12 + 9, 21 + 9, 30 + 12]
    assert [n_inputs(HL, kind, 0) for kind in range(3)] == [12 + 9, 21 + 9, 26 + 9]


def test_slopes():
    """Between neighbours, all around the coefficient: steps along x for HL, along y for LH, both for HH."""
    steps = {ALONG_X: (0, 1), ALONG_Y: (1, 0)}
    pairs = {
        orientation: [((y, x), (y + steps[along][0], x + steps[along][1])) for along, (y, x) in slopes]
        for orientation, slopes in SLOPES.items()
    }
    for orientation, (along, centre) in {HL: (ALONG_X, (0, 0.5)), LH: (ALONG_Y, (0.5, 0))}.items():
        assert all(each == along for each, _ in SLOPES[orientation])
        middles = [((here[0] + there[0]) / 2, (here[1] + there[1]) / 2) for here, there in pairs[orientation]]
        assert middles == [(centre[0] + dy, centre[1] + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    corner = pairs[HH]
    assert np.mean(corner, axis=(0, 1)).tolist() == [0.5, 0.5]
    assert corner[6:] == sorted((here[::-1], there[::-1]) for here, there in corner[:6])
    assert SLOPES[LL] == []


def test_scalars():
    assert scalars(1, 6, HL, 88) == [0, 32, 0]
    assert scalars(3, 6, HH, 100) == [22, 0, 12]
    assert scalars(7, 7, LH, 0) == [33, 0, -88]
    assert scalars(2, 2, LL, 255) == [22, 0, 167]
    assert scalars(0, 0, LL, 88) == [0, 32, 0]


def by_integers(network: Network, inputs: list[int]) -> tuple[int, int]:
    """One prediction in Python's integers."""
    x, units = inputs, (5, 8, 8, 3)
    for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        shift = units[i] + 10 - units[i + 1]
        sums = [
            sum(int(w) * v for w, v in zip(row, x, strict=True)) + (int(b) << units[i])
            for row, b in zip(weight, bias, strict=True)
        ]
        x = [(total + (1 << (shift - 1))) >> shift for total in sums]
        x = x if i == 2 else [max(0, v) for v in x]
    return min(max(x[0], -(2**27)), 2**27), min(max(x[1], -1024), 1024)


def inputs_of(network: Network, n: int, seed: int) -> np.ndarray:
    """Inputs of all sizes there are, the largest included."""
    rng = np.random.default_rng(seed)
    largest = rng.choice([1, 40, 32 * 24], (1, n))
    return np.round(rng.uniform(-1, 1, (network.weights[0].shape[1], n)) * largest).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_predictions_equal_big_integers(seed: int):
    random = unpack_networks(blob_of(3, seed))
    for network in (*networks().values(), *random.values()):
        x = inputs_of(network, 5, seed)
        locations, scales = network.predict(x)
        assert locations.dtype == scales.dtype == np.int32
        expected = [by_integers(network, [int(v) for v in column]) for column in x.T]
        assert list(zip(locations.tolist(), scales.tolist(), strict=True)) == expected


def random_network(rng: np.random.Generator, spread: tuple[float, float, float], n_inputs: int = 37) -> Network:
    """A network of the shipped width whose layers' weights are this large, in units of 2^-10."""
    sizes = (n_inputs, HIDDEN, HIDDEN, 2)
    weights = [
        np.round(rng.normal(0, spread[i], (sizes[i + 1], sizes[i])) + rng.uniform(-1, 1) * spread[i]) for i in range(3)
    ]
    biases = [np.round(rng.normal(0, 300, sizes[i + 1])) for i in range(3)]
    return Network(tuple(weights), tuple(biases))


def test_the_bound_tells_where_single_precision_is_exact():
    """Elsewhere float32 gives the integers of float64, in any order of summation; without it some would be wrong."""
    rng = np.random.default_rng(0)
    n_exact = n_beyond = n_wrong = 0
    for spread in itertools.product((20.0, 200.0), (100.0, 600.0, 3000.0), (100.0, 600.0, 3000.0)):
        network = random_network(rng, spread)
        x = inputs_of(network, 400, int(rng.integers(1 << 30)))
        order = rng.permutation(len(x))
        shuffled = Network((network.weights[0][:, order], *network.weights[1:]), network.biases)
        exactly, _ = network._evaluated(x.astype(np.float64), single=False)
        for found, beyond in (network._evaluated(x, single=True), shuffled._evaluated(x[order], single=True)):
            assert np.array_equal(found[:, ~beyond], exactly[:, ~beyond])
            n_exact += int((~beyond).sum())
            n_beyond += int(beyond.sum())
            n_wrong += int((found != exactly).any(axis=0).sum())
        expected = [by_integers(network, [int(v) for v in column]) for column in x.T[:20]]
        for predicted in (network.predict(x), network.predict_exactly(x)):
            assert list(zip(*(each.tolist()[:20] for each in predicted), strict=True)) == expected
    assert n_exact > 1000
    assert n_beyond > 1000
    assert n_wrong > 0


def test_first_layers_are_bounded_for_inputs_of_either_sign():
    """Sums too large for float32 in the first layer alone, whatever the signs of inputs."""
    rng = np.random.default_rng(0)
    network = random_network(rng, (3000.0, 0.1, 30.0))
    for sign in (-1, 1):
        x = sign * rng.integers(LARGEST_INPUT // 2, LARGEST_INPUT + 1, (37, 4000)).astype(np.float32)
        assert all(np.array_equal(*each) for each in zip(network.predict(x), network.predict_exactly(x), strict=True))
        assert network._evaluated(x, single=True)[1].all()
        in_single, in_double = network.weights[0].astype(np.float32) @ x, network.weights[0] @ x.astype(np.float64)
        assert np.mean(in_single != in_double) > 0.1
    assert network.compiled_layers([0, 0, 0]) is None


def test_there_are_compiled_loops_for_the_shipped_networks():
    for key, network in networks().items():
        assert network.compiled_layers(scalars(1, 6, key[0], 255)) is not None


def test_the_shipped_networks_stay_exact():
    """No inputs there are, whatever the file, take a sum to 2^52."""
    for network in networks().values():
        bound, units = 32 * 24.0, (5, 8, 8, 3)
        for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            largest = float((np.abs(weight).sum(axis=1) * bound + np.abs(bias) * 2.0 ** units[i]).max())
            assert largest < 2**52
            bound = largest * 2.0 ** (units[i + 1] - units[i] - 10) + 1


def test_the_shipped_networks_have_their_shapes():
    found = networks()
    assert list(found) == KEYS
    hidden = found[KEYS[0]].weights[0].shape[0]
    for key, network in found.items():
        assert [weight.shape for weight in network.weights] == [
            (hidden, n_inputs(*key)),
            (hidden, hidden),
            (2, hidden),
        ]
        assert [bias.shape for bias in network.biases] == [(hidden,), (hidden,), (2,)]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(-3, 3))
def test_damaged_weights_are_refused(hidden: int, surplus: int):
    blob = blob_of(hidden)
    damaged = blob + bytes(surplus) if surplus > 0 else blob[: len(blob) + surplus]
    if surplus == 0:
        assert len(unpack_networks(blob)) == len(KEYS)
        return
    with pytest.raises(FormatError):
        unpack_networks(damaged)


@pytest.mark.parametrize("blob", [b"", b"\1", b"\0\0", b"\xff\xff" * 50, b"\xff\x7f" * 50])
def test_other_bytes_are_refused(blob: bytes):
    with pytest.raises(FormatError):
        unpack_networks(blob)
