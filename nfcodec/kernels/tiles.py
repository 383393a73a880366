# pyright: basic
"""Products of small matrices with blocks of columns, in tiles whose sums stay in vector registers.

A block has rows of floats, which may begin anywhere in an array: row k at `e_at + at[k]`. A tile is up to four rows by
`TILE` columns, and its sums are kept in registers over all terms. Compilers do not find that by themselves, so tiles
are written in LLVM's language, with vectors of `LANES` floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import llvmlite.binding
import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from nfcodec.kernels.jit import F, U, kernel

_IS_WIDE = llvmlite.binding.get_host_cpu_features().get("avx512f", False)

LANES = 16 if _IS_WIDE else 8
"""Floats of a vector."""

TILE = 64 if _IS_WIDE else 16
"""Columns of a tile, a divisor of 64."""

ANY_VALUE = F(-3.4e38)
"""A lower limit that limits nothing."""

_FLOAT, _INDEX = ir.FloatType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_ZEROS = ir.Constant(_VECTOR, [0.0] * LANES)
_N_VECTORS = TILE // LANES
_FUSED = ("contract",)
_T, _L, _V, _ONE, _TWO, _FOUR = U(TILE), U(LANES), U(_N_VECTORS), U(1), U(2), U(4)


def aligned(n: int) -> npt.NDArray[np.float32]:
    """n zeros that begin where a line of the cache does."""
    found = np.zeros(n + 16, np.float32)
    first = -(found.ctypes.data // 4) % 16
    return found[first : first + n]


class _Code:
    """Writes the instructions of a tile; places are counted in floats."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Iterable[Any]) -> None:
        self._builder = builder
        self.args = [
            context.make_array(kind)(context, builder, value=arg).data if isinstance(kind, types.Array) else arg
            for kind, arg in zip(signature.args, args, strict=True)
        ]

    def place(self, first: Any, step: Any, times: int, more: int = 0) -> Any:
        """First + step * times + more."""
        there = self._builder.add(first, self._builder.mul(step, _INDEX(times)))
        return self._builder.add(there, _INDEX(more)) if more else there

    def _vector_at(self, data: Any, at: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(data, [at]), _VECTOR.as_pointer())

    def load(self, data: Any, at: Any) -> Any:
        return self._builder.load(self._vector_at(data, at), align=4)

    def store(self, value: Any, data: Any, at: Any) -> None:
        self._builder.store(value, self._vector_at(data, at), align=4)

    def number(self, data: Any, at: Any) -> Any:
        return self._builder.load(self._builder.gep(data, [at]))

    def spread(self, value: Any) -> Any:
        """A vector of one number."""
        one = self._builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.IntType(32)(0))
        return self._builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    def variables(self, values: Iterable[Any]) -> list[Any]:
        return [cgutils.alloca_once_value(self._builder, value) for value in values]

    def add_product(self, variable: Any, a: Any, b: Any) -> None:
        product = self._builder.fmul(a, b, flags=_FUSED)
        self._builder.store(self._builder.fadd(self._builder.load(variable), product, flags=_FUSED), variable)


def _product_tile(n_rows: int, finish: Callable[..., Any], has_bias: bool) -> Any:
    """Of a product that ends with `finish(code, builder, sums, limit, place)`, from a bias or from 0."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature, args)
        a, a_at, e, e_at, at, n_in, z, z_at, z_step, other, other_at, low = code.args
        starts = [code.number(other, code.place(other_at, _INDEX(1), r)) if has_bias else None for r in range(n_rows)]
        sums = [code.variables([_ZEROS if start is None else code.spread(start)] * _N_VECTORS) for start in starts]
        with cgutils.for_range(builder, n_in, intp=_INDEX) as loop:
            row = builder.add(e_at, code.number(at, loop.index))
            values = [code.load(e, code.place(row, _INDEX(LANES), v)) for v in range(_N_VECTORS)]
            for r in range(n_rows):
                factor = code.spread(code.number(a, builder.add(code.place(a_at, n_in, r), loop.index)))
                for variable, value in zip(sums[r], values, strict=True):
                    code.add_product(variable, factor, value)
        for r in range(n_rows):
            for v in range(_N_VECTORS):
                found = finish(
                    code, builder, builder.load(sums[r][v]), low, other, code.place(other_at, z_step, r, v * LANES)
                )
                code.store(found, z, code.place(z_at, z_step, r, v * LANES))
        return context.get_dummy_value()

    @intrinsic
    def tile(typing, a, a_at, e, e_at, at, n_in, z, z_at, z_step, other, other_at, low):
        return types.void(a, a_at, e, e_at, at, n_in, z, z_at, z_step, other, other_at, low), write

    return tile


def _limited(code: _Code, builder: Any, value: Any, low: Any, other: Any, place: Any) -> Any:
    limit = code.spread(low)
    return builder.select(builder.fcmp_ordered(">", value, limit), value, limit)


def _masked(code: _Code, builder: Any, value: Any, low: Any, other: Any, place: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", code.load(other, place), _ZEROS), value, _ZEROS)


def _outer_tile(n_rows: int) -> Any:
    """Of `add_outer`: four columns."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature, args)
        d, d_at, d_step, e, e_at, at, k, n_vectors, g, g_at, g_step = code.args
        places = [code.place(g_at, g_step, r, c * LANES) for r in range(n_rows) for c in range(4)]
        sums = code.variables([code.load(g, place) for place in places])
        rows = [builder.add(e_at, code.number(at, builder.add(k, _INDEX(c)))) for c in range(4)]
        with cgutils.for_range(builder, n_vectors, intp=_INDEX) as loop:
            x = builder.mul(loop.index, _INDEX(LANES))
            values = [code.load(e, builder.add(row, x)) for row in rows]
            for r in range(n_rows):
                slope = code.load(d, builder.add(code.place(d_at, d_step, r), x))
                for c in range(4):
                    code.add_product(sums[4 * r + c], slope, values[c])
        for variable, place in zip(sums, places, strict=True):
            code.store(builder.load(variable), g, place)
        return context.get_dummy_value()

    @intrinsic
    def tile(typing, d, d_at, d_step, e, e_at, at, k, n_vectors, g, g_at, g_step):
        return types.void(d, d_at, d_step, e, e_at, at, k, n_vectors, g, g_at, g_step), write

    return tile


def _sum_tile(n_rows: int) -> Any:
    """Of `add_sums`."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        code = _Code(context, builder, signature, args)
        d, d_at, d_step, n_vectors, g, g_at = code.args
        places = [code.place(g_at, _INDEX(LANES), r) for r in range(n_rows)]
        sums = code.variables([code.load(g, place) for place in places])
        with cgutils.for_range(builder, n_vectors, intp=_INDEX) as loop:
            x = builder.mul(loop.index, _INDEX(LANES))
            for r in range(n_rows):
                value = code.load(d, builder.add(code.place(d_at, d_step, r), x))
                builder.store(builder.fadd(builder.load(sums[r]), value), sums[r])
        for variable, place in zip(sums, places, strict=True):
            code.store(builder.load(variable), g, place)
        return context.get_dummy_value()

    @intrinsic
    def tile(typing, d, d_at, d_step, n_vectors, g, g_at):
        return types.void(d, d_at, d_step, n_vectors, g, g_at), write

    return tile


_sums_1, _sums_4 = _sum_tile(1), _sum_tile(4)
_affine_1, _affine_2, _affine_3, _affine_4 = (_product_tile(n, _limited, True) for n in range(1, 5))
_adjoint_1, _adjoint_2, _adjoint_3, _adjoint_4 = (_product_tile(n, _masked, False) for n in range(1, 5))
_outer_1, _outer_2, _outer_3, _outer_4 = (_outer_tile(n) for n in range(1, 5))


@kernel
def affine(a, e, e_at, at, n_in, z, z_at, z_step, n_out, bias, bias_at, low, n_tiles):
    """Rows j of z, at z_at + j * z_step, become max(a e + bias[bias_at + j], low), with a flat (n_out, n_in)."""
    for t in range(n_tiles):
        x, j = U(t) * _T, U(0)
        for j in range(U(0), n_out & ~U(3), _FOUR):
            _affine_4(a, j * n_in, e, e_at + x, at, n_in, z, z_at + j * z_step + x, z_step, bias, bias_at + j, low)
        j = n_out & ~U(3)
        a_at, there, b_at = j * n_in, z_at + j * z_step + x, bias_at + j
        if n_out - j == _ONE:
            _affine_1(a, a_at, e, e_at + x, at, n_in, z, there, z_step, bias, b_at, low)
        elif n_out - j == _TWO:
            _affine_2(a, a_at, e, e_at + x, at, n_in, z, there, z_step, bias, b_at, low)
        elif n_out > j:
            _affine_3(a, a_at, e, e_at + x, at, n_in, z, there, z_step, bias, b_at, low)


@kernel
def adjoint(a, e, e_at, at, n_in, z, z_at, z_step, n_out, h, h_at, n_tiles):
    """Rows of z become a e where those of h, equally far apart, are over 0, and 0 elsewhere."""
    for t in range(n_tiles):
        x = U(t) * _T
        for j in range(U(0), n_out & ~U(3), _FOUR):
            there = j * z_step + x
            _adjoint_4(a, j * n_in, e, e_at + x, at, n_in, z, z_at + there, z_step, h, h_at + there, F(0))
        j = n_out & ~U(3)
        a_at, there, mask_at = j * n_in, z_at + j * z_step + x, h_at + j * z_step + x
        if n_out - j == _ONE:
            _adjoint_1(a, a_at, e, e_at + x, at, n_in, z, there, z_step, h, mask_at, F(0))
        elif n_out - j == _TWO:
            _adjoint_2(a, a_at, e, e_at + x, at, n_in, z, there, z_step, h, mask_at, F(0))
        elif n_out > j:
            _adjoint_3(a, a_at, e, e_at + x, at, n_in, z, there, z_step, h, mask_at, F(0))


@kernel
def add_outer(d, d_at, d_step, n_out, e, e_at, at, n_in, g, g_at, n_tiles):
    """Add to g the products of rows of d with rows of e, summed over columns.

    Args:
        n_in: a multiple of four; so is the number of places in `at`.
        g: (n_out, n_in, LANES) from g_at on, partial sums; see `total`.
    """
    n_vectors, step = n_tiles * _V, n_in * _L
    for k in range(U(0), n_in, _FOUR):
        for j in range(U(0), n_out & ~U(3), _FOUR):
            _outer_4(d, d_at + j * d_step, d_step, e, e_at, at, k, n_vectors, g, g_at + j * step + k * _L, step)
        j = n_out & ~U(3)
        first, there = d_at + j * d_step, g_at + j * step + k * _L
        if n_out - j == _ONE:
            _outer_1(d, first, d_step, e, e_at, at, k, n_vectors, g, there, step)
        elif n_out - j == _TWO:
            _outer_2(d, first, d_step, e, e_at, at, k, n_vectors, g, there, step)
        elif n_out > j:
            _outer_3(d, first, d_step, e, e_at, at, k, n_vectors, g, there, step)


@kernel
def add_sums(d, d_at, d_step, n_out, g, g_at, n_tiles):
    """Add to g, (n_out, LANES) from g_at on, the rows of d; partial sums, see `total`."""
    n_vectors = n_tiles * _V
    for j in range(U(0), n_out & ~U(3), _FOUR):
        _sums_4(d, d_at + j * d_step, d_step, n_vectors, g, g_at + j * _L)
    for j in range(n_out & ~U(3), n_out, _ONE):
        _sums_1(d, d_at + j * d_step, d_step, n_vectors, g, g_at + j * _L)


@kernel
def total(g, out):
    """out[i] = the sum of g[i], (n, LANES)."""
    for i in range(U(out.size)):
        found, first = F(0), i * _L
        for x in range(_L):
            found += g[first + x]
        out[i] = found
