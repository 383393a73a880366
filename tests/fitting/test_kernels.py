from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from nfcodec.kernels import blocks, elementary, loss, tiles
from nfcodec.kernels.jit import BLOCK, U

ROOT = Path(__file__).parents[2]


@numba.njit
def over(function, x, y):
    for i in range(x.size):
        y[i] = function(x[i])


@numba.njit
def sines_and_cosines(x, sines, cosines):
    for i in range(x.size):
        sines[i], cosines[i] = elementary.sine_cosine(x[i])


@numba.njit
def noises(key, out):
    for i in range(out.size):
        out[i] = elementary.noise(np.uint32(i), np.uint32(key))


@pytest.mark.parametrize(
    ("function", "exact", "low", "high", "relative"),
    [
        (elementary.exp2, np.exp2, -120, 120, True),
        (elementary.exp, np.exp, -80, 80, True),
        (elementary.log2, np.log2, 1e-30, 1e30, False),
        (elementary.log2, np.log2, 0.5, 2.0, False),
        (elementary.tanh, np.tanh, -20, 20, False),
    ],
)
def test_elementary_functions(function, exact, low, high, relative):
    x = np.random.default_rng(0).uniform(low, high, 20_000).astype(np.float32)
    y = np.empty_like(x)
    over(function, x, y)
    expected = exact(x.astype(np.float64))
    error = np.abs(y - expected) / (np.abs(expected) if relative else np.maximum(1, np.abs(expected) / 4))
    assert error.max() < 2e-5 if relative and high > 1 else error.max() < 1e-6


def test_sine_and_cosine():
    x = np.random.default_rng(0).uniform(-900, 900, 50_000).astype(np.float32)
    sines, cosines = np.empty_like(x), np.empty_like(x)
    sines_and_cosines(x, sines, cosines)
    assert np.abs(sines - np.sin(x.astype(np.float64))).max() < 5e-7
    assert np.abs(cosines - np.cos(x.astype(np.float64))).max() < 5e-7


def test_noise_is_nearly_gaussian_and_follows_its_key():
    first, again, other = (np.empty(100_000, np.float32) for _ in range(3))
    noises(1, first)
    noises(1, again)
    noises(2, other)
    assert np.array_equal(first, again)
    assert abs(float(np.corrcoef(first, other)[0, 1])) < 0.02
    assert abs(float(np.corrcoef(first[1:], first[:-1])[0, 1])) < 0.02
    assert float(first.mean()) == pytest.approx(0, abs=0.02)
    assert float(first.std()) == pytest.approx(1, abs=0.01)
    assert float((first**4).mean()) == pytest.approx(2.7, abs=0.1)  # of the sum of four uniform numbers


@pytest.mark.parametrize(("n_out", "n_in"), [(4, 4), (16, 24), (64, 32), (20, 100)])
def test_block_products(n_out, n_in):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(n_out, n_in)).astype(np.float32)
    e, z = (rng.normal(size=(n, BLOCK)).astype(np.float32) for n in (n_in, n_out))
    out, outer, sums = z.copy(), np.ones((n_out, n_in), np.float32), np.ones(n_out, np.float32)
    blocks.add_product(a.reshape(-1), e.reshape(-1), out.reshape(-1), U(n_out), U(n_in))
    blocks.add_outer(z.reshape(-1), e.reshape(-1), outer.reshape(-1), U(n_out), U(n_in))
    blocks.add_row_sums(z.reshape(-1), sums, U(n_out))
    assert out == pytest.approx(z + a @ e, abs=1e-4)
    assert outer == pytest.approx(1 + z @ e.T, abs=1e-3)
    assert sums == pytest.approx(1 + z.sum(axis=1), abs=1e-4)


@pytest.mark.parametrize("n_out", [1, 2, 3, 4, 5, 20])
@pytest.mark.parametrize("n_in", [1, 7, 20])
def test_tiles(n_out, n_in):
    """Of two tiles, with rows of the block in any order and far from each other; columns behind stay as they are."""
    rng, n_tiles, pitch = np.random.default_rng(0), 2, 2 * tiles.TILE + 16
    n, n_padded = n_tiles * tiles.TILE, blocks.padded(n_in)
    at = rng.permutation(n_padded) * pitch
    a, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((n_out, n_in), n_out))
    e, h = (rng.normal(size=rows * pitch).astype(np.float32) for rows in (n_padded, n_out))
    z = np.full((n_out, pitch), 7, np.float32)
    rows = np.stack([e[first : first + n] for first in at])
    shape = U(n_in), z.reshape(-1), U(0), U(pitch), U(n_out)
    block = e, U(0), at.astype(np.uintp)

    tiles.affine(a.reshape(-1), *block, *shape, bias, U(0), np.float32(0.5), U(n_tiles))
    assert z[:, :n] == pytest.approx(np.maximum(a @ rows[:n_in] + bias[:, None], 0.5), abs=1e-5)
    assert (z[:, n:] == 7).all()

    tiles.adjoint(a.reshape(-1), *block, *shape, h, U(0), U(n_tiles))
    mask = h.reshape(n_out, pitch)[:, :n] > 0
    assert z[:, :n] == pytest.approx(a @ rows[:n_in] * mask, abs=1e-5)
    assert (z[:, n:] == 7).all()

    partial = np.ones((n_out, n_padded + 1, tiles.LANES), np.float32)
    outer, sums = partial[:, :-1].copy(), partial[:, -1].copy()
    tiles.add_outer(z.reshape(-1), U(0), U(pitch), U(n_out), *block, U(n_padded), outer.reshape(-1), U(0), U(n_tiles))
    tiles.add_sums(z.reshape(-1), U(0), U(pitch), U(n_out), sums.reshape(-1), U(0), U(n_tiles))
    found = np.zeros(n_out * n_padded, np.float32)
    tiles.total(outer.reshape(-1), found)
    assert found.reshape(n_out, -1) == pytest.approx(tiles.LANES + z[:, :n] @ rows.T, abs=1e-4)
    assert sums.sum(axis=1) == pytest.approx(tiles.LANES + z[:, :n].sum(axis=1), abs=1e-4)


def test_count_below_is_searchsorted():
    rng = np.random.default_rng(0)
    thresholds = np.sort(rng.integers(0, 50, 255)).astype(np.float32)  # with repetitions
    for x in [*rng.uniform(-1, 51, 200), *thresholds[:20]]:
        assert loss.count_below(thresholds, np.float32(x)) == np.searchsorted(thresholds, np.float32(x), side="right")


KERNEL_OF_A_CLASS = """
from typing import NamedTuple
import numpy as np
from nfcodec.kernels.jit import kernel

class {name}(NamedTuple):
    values: object

@kernel
def total(given):
    return given.values.sum()

print(total({name}(np.arange(5.0))))
"""


KERNEL_WITH_A_LISTENER = """
from nfcodec.kernels.jit import compilation_told, kernel

@kernel
def half(x):
    return x / 2

@kernel
def quarter(x):
    return half(half(x))

with compilation_told(lambda: print("compiling")):
    print(quarter(2.0))
"""


def test_only_what_is_compiled_is_told_and_once(tmp_path):
    (tmp_path / "kernels_of_floats.py").write_text(KERNEL_WITH_A_LISTENER, encoding="ascii")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "import kernels_of_floats"]
    for expected in (["compiling", "0.5"], ["0.5"]):  # the second finds the kernels in the cache
        found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert found.stdout.split() == expected, found.stderr


@pytest.mark.parametrize("damaged", [False, True])
def test_a_cache_that_cannot_be_read_is_made_anew(tmp_path, damaged):
    """As after an update that renames a class of arguments, or after damage."""
    script, cache = tmp_path / "kernels_of_a_class.py", tmp_path / "cache"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    for name in ("Before", "After", "After"):
        script.write_text(KERNEL_OF_A_CLASS.format(name=name), encoding="ascii")
        command = [sys.executable, "-c", "import kernels_of_a_class"]
        found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert found.stdout.strip() == "10.0", found.stderr
        indices = list(cache.rglob("*.nbi"))
        assert indices
        if damaged:
            indices[0].write_bytes(b"nonsense")
