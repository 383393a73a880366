"""An independent decoder for .nfc files, from docs/reference/format.md ("section") alone.

Usage: decoder.py in.nfc out.npy

Of the package it reads two files, the weights of context networks and of the filters, which are part of the format.
"""

import hashlib
import math
import struct
import sys
import zlib
from bisect import bisect_right
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from functools import cache
from io import BytesIO
from itertools import accumulate, pairwise, product, repeat, zip_longest
from pathlib import Path

import numpy as np
import zstandard

KNOWN_CHUNKS = [b"HEAD", b"PLAN", b"WGHT", b"RESD", b"ALPH", b"iccp", b"exif", b"xmpm"]
CLASSES = [1, 2, 5, 7, 10, 13, 16, 21, 27, 35, 48, 64, 96, 144, 224]
CLASS_SCALES = [0, 0, 0, 0, 0, 1, 3, 4, 6, 7, 9, 11, 13, 15, 17, 21] * 2
B = [(4 + c % 4) << c // 4 for c in range(64)]
SINE = np.array([math.floor(2**15 * math.sin(2 * math.pi * i / 65536) + 0.5) for i in range(65536)])
RUNS = ((0, 0), (1, 1), (0, 1), (1, 0))  # row and column parities, sections 5.6.1 and 5.8
NINE, CROSS = [*product((-1, 0, 1), repeat=2)], [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
BIT = [0, 2**23, 2**24]
ORDERS = {1: (0, 1), 2: (0, 1), 3: (0, 2), 4: (0,), 5: (0, 1), 6: (0,), 7: (0,), 8: (0,)}  # section 5, by field id
NETWORKS = Path(__file__).parents[2] / "nfcodec/fields/wavelet/contexts.bin"
FILTERS = Path(__file__).parents[2] / "nfcodec/fields/wavelet/filters.bin"
COARSE = {  # section 11: a, b, c, g by log2 of N
    2: (40, 80, 8, 43308),
    3: (30, 84, 14, 28619),
    4: (26, 84, 18, 18912),
    5: (24, 84, 20, 12497),
    6: (24, 82, 22, 8259),
    7: (23, 83, 22, 5457),
}
GAINS = [4096, 2892, 2043, 1442, 1019, 719, 508, 359, 5800]
LIFTING = ((3633, 0), (7233, 1), (-434, 0), (-12994, 1))
DECAYS = [math.floor(2**30 * math.exp(-(2 ** ((8 - t) / 8))) + 0.5) for t in range(57)]
GRID_DECAYS = [math.floor(2**30 * math.exp(-(2 ** (-t / 8))) + 0.5) for t in range(65)]
AROUND = [
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-3, 0), (0, -3), (-1, -2), (-2, 1), (-2, -1), (-1, 2),
    (-2, -2), (-1, -3),
]  # fmt: skip
PARAMETERS = {1: "BQ", 2: "", 16: "", 17: "II", 18: "i", 19: "i", 20: "i", 21: "III"}  # section 6, by transform id
BOUNDS = {18: (1000, 10**9), 19: (1000, 10**9), 20: (50000, 2 * 10**7)}
VALUE_MAPS = {
    16: lambda z, p: 1 - z,
    17: lambda z, p: (z - p[0]) / p[1],
    18: lambda z, p: p[0] * z,
    19: lambda z, p: p[0] * (z - Decimal("0.5")),
    20: lambda z, p: (abs(z) ** (1 / p[0])).copy_sign(z) if z else z,
    21: lambda z, p: 2 * VALUE_MAPS[20]((z - p[0]) / (p[1] - p[0]), p[2:]) - 1,
}


def require(condition, message):
    if not condition:
        raise ValueError(message)


def read(stream, layout):
    data = stream.read(struct.calcsize("<" + layout))
    require(len(data) == struct.calcsize("<" + layout), "truncated")
    return struct.unpack("<" + layout, data)


def varint(stream):
    groups = [*read(stream, "B")]
    while groups[-1] & 0x80 and len(groups) < 5:
        groups += read(stream, "B")
    require(groups[-1] < 0x80 and (groups[-1] or len(groups) == 1), "bad varint")
    return sum((group & 0x7F) << 7 * i for i, group in enumerate(groups))


def read_chunks(data):  # section 1
    stream, chunks, expected = BytesIO(data), {}, KNOWN_CHUNKS
    require(stream.read(8) == b"\x8bNFC\r\n\x1a\n" and read(stream, "B")[0] == 1, "not an .nfc file of version 1")
    while stream.tell() < len(data):
        kind, length = read(stream, "4sI")
        payload, crc = read(stream, f"{length}sI")
        require(crc == zlib.crc32(kind + payload), "wrong CRC")
        if kind in KNOWN_CHUNKS or not 0x61 <= kind[0] <= 0x7A:
            require(kind in expected, "chunk unknown, repeated or misplaced")
            chunks[kind], expected = payload, expected[expected.index(kind) + 1 :]
    return chunks


def read_field(kind, data, h, w, c):  # section 4: layout as name -> shape, and what else its evaluation needs
    stream, layout = BytesIO(data), {}
    if kind == 1:
        width, hidden, own = read(stream, "HBB")
        layout = siren_layout(width, hidden, own, c)
    elif kind == 2:
        rows, cols, hidden, frequencies = read(stream, "BBBB")
        require(1 <= rows <= h and 1 <= cols <= w, "bad tiles")
        for t, width in enumerate(read(stream, f"{rows * cols}H")):
            layout |= {f"{t}.{name}": shape for name, shape in siren_layout(width, hidden, frequencies, c).items()}
        own = (rows, cols), frequencies
    elif kind == 3:
        own = [read(stream, "BfI") for _ in range(*read(stream, "B"))]
        require(1 <= len(own) <= 32, "bad number of levels")
        for i, (features, scale, size) in enumerate(own):
            require(features in (1, 2, 4, 8) and size % 8 == 0 and 8 <= size <= 2**24, "bad level")
            require(0 < scale < 65535, "bad scale")
            layout[f"level{i}"] = size, features
        widths = read(stream, f"{read(stream, 'B')[0]}H")
        require(1 <= len(widths) <= 16 and all(1 <= n <= 4096 for n in widths), "bad layers")
        for i, (n_in, n_out) in enumerate(pairwise([sum(features for features, _, _ in own), *widths, c])):
            layout[f"weight{i}"] = n_out, n_in
    elif kind == 4:
        own, filters = read(stream, "BB")
        require(own < 8 and filters <= 128, "bad levels or filters")
        layout = {"level0": (h, w, c), "skip": (c, c)} | ({"weight1": (c, filters)} if filters else {})
    elif kind == 7:
        layout, own = {"level0": (h, w, c)}, None
    elif kind == 8:
        levels, hyper, near, mapped, last = own = read(stream, "BBBBB")
        require(1 <= levels <= 12 and hyper <= max(0, levels - 3), "bad levels")
        require(1 <= near <= 14 and mapped <= 16, "bad entropy model")
        n, hidden, maps = near + mapped, last + 1, min(3, levels - 1)
        layout = {
            "latents": (sum(rows * cols for _, _, rows, cols in grid_shapes(own, h, w)), 1),
            "entropy": (2 * n + 4, n), "entropy_bias": (2 * n + 2,),
            "maps": (mapped, sum(levels + hyper - 1 - i for i in range(maps))), "map_bias": (maps * mapped,),
            "filters": (2 * levels - 2, 4), "synthesis": (hidden + c, levels), "out": (c, hidden),
            "near": (2 * c, 9 * c), "synthesis_bias": (hidden + 3 * c,), "scale": (c, 1), "offset": (c,),
        }  # fmt: skip
    else:
        require(kind in (5, 6), "unknown field")
        coarsest, hidden = read(stream, "BH") if kind == 6 else (0, 0)
        require(coarsest < 8 and hidden <= 4096, "bad pyramid")
        own = range(coarsest, -1, -1)
        layout = {f"level{i}": (-(-h >> s), -(-w >> s), c) for i, s in enumerate(own)} | {"skip": (c, c * len(own))}
        layout |= {"weight0": (hidden, c * len(own)), "bias0": (hidden,), "weight1": (c, hidden)} if hidden else {}
    require(not stream.read(), "bytes left over in the field")
    return layout | ({"bias_out": (c,)} if 3 < kind < 7 else {}), own


def siren_layout(width, hidden, frequencies, c):  # section 4.1
    require(1 <= width <= 4096 and hidden < 64 and frequencies <= 16, "bad siren")
    sizes = [2] + [width] * (hidden + 1)
    if frequencies:
        sizes = [2, 4 * frequencies, *accumulate(range(hidden - 1), lambda n, _: (2 * n + 1) // 3, initial=width)]
    layout, ends = {}, [*map(str, range(hidden + 1)), "_out"]
    for i, (end, n_in, n_out) in enumerate(zip(ends, sizes, [*sizes[1 : hidden + 2], c], strict=False)):
        layout |= {f"weight{end}": (n_out, n_in), f"bias{end}": (n_out,)} if i or not frequencies else {}
    return layout


def range_decoder(stream):  # section 5.1; point and lower matter by their difference only
    words = iter(np.frombuffer(stream, "<u4").tolist())
    difference, width = next(words, 0) << 32 | next(words, 0), 2**64 - 1

    def symbol(cumulative):
        nonlocal difference, width
        unit = width >> 24
        require(difference // unit < 2**24, "invalid range coded stream")
        i = bisect_right(cumulative, difference // unit) - 1
        difference, width = difference - unit * cumulative[i], unit * (cumulative[i + 1] - cumulative[i])
        if width < 2**32:
            difference, width = difference << 32 | next(words, 0), width << 32
        return i

    return symbol


def cumulative_table(w):  # section 5.2
    table = 1 + w * (2**24 - len(w)) // w.sum()
    table[table.argmax()] += 2**24 - table.sum()
    return [0, *np.cumsum(table).tolist()]


class Model:  # section 5.2; an alphabet is its weights [context, symbol] and the number of symbols coded
    around, inner, a, b = (), (), 32, 0
    # nested contexts: the one around each and counts, from the widest to the narrowest; the numbers a and b

    def __init__(self, decode_symbol, limit, scales):
        self.decode_symbol, self.limit, weights = decode_symbol, limit, []
        self.shift = next(k for k in range(64) if (2 * limit >> k) + 2 <= 512)
        self.top = -(-limit >> self.shift)
        for b in [B[max(0, scale - 4 * self.shift)] for scale in scales]:
            ratio = 65536 * b // (b + 8)
            g = np.array([*accumulate(repeat(ratio, self.top), lambda g, r: g * r // 65536, initial=2**24)], np.int64)
            w = 2048 * g // (2 * g.sum() - g[0]) + 4
            weights.append([*w[:0:-1], *w])
        self.high, self.low = [np.array(weights, np.int64), 0], [np.full((3, 2**self.shift), 4, np.int64), 0]

    def run(self, contexts):
        high = self.symbols(self.high, contexts.ravel()) - self.top
        low = self.symbols(self.low, np.select([high == 0, high == -1], [0, 1], 2))
        values = (high << self.shift) + low
        require(np.all(abs(values) <= self.limit), "value over its limit")
        return values.reshape(contexts.shape)

    def symbols(self, alphabet, contexts):
        (weights, coded), symbols, start = alphabet, np.zeros(len(contexts), np.int64), 0
        while start < len(contexts) and weights.shape[1] > 1:
            nested = alphabet is self.high and self.around
            batch = np.arange(start, min(len(contexts), start + min(max(32, coded + start), 2**62 if nested else 8192)))
            for context in np.unique(contexts[batch]):
                cumulative = cumulative_table(
                    self.nested_weights(len(self.around), context) if nested else weights[context]
                )
                for i in batch[contexts[batch] == context]:
                    symbols[i] = self.decode_symbol(cumulative)
            place = contexts[batch]
            for counts, around in zip(self.inner[::-1], self.around[::-1], strict=True) if nested else ():
                np.add.at(counts, (place, symbols[batch]), 1)
                place = around[place]
            np.add.at(weights, (place, symbols[batch]), 64)
            start += len(batch)
        alphabet[1] += len(contexts)
        return symbols

    def nested_weights(self, depth, context):  # section 5.2
        if depth == 0:
            return self.high[0][0]
        table = np.diff(cumulative_table(self.nested_weights(depth - 1, self.around[depth - 1][context])))
        counts = self.inner[depth - 1][context]
        return 1024 * counts + 1024 * (self.a + self.b * np.count_nonzero(counts)) * table // 2**24


def read_weights(data, kind, own, layout, steps, h, w, omitted=0):  # section 5
    stream, symbols = BytesIO(data), {name: np.zeros(shape, np.int64) for name, shape in layout.items()}
    (order,) = read(stream, "B")
    require(order in ORDERS[kind], "bad order")
    if kind == 7:
        return {"level0": read_packed(stream.read(), layout["level0"])}
    levels = [q for name, q in symbols.items() if name.startswith("level")]
    limits = [varint(stream) for q in {3: levels, 4: []}.get(kind, levels[:1]) for _ in range(q.shape[-1])]
    heads, coded = {}, order == 1
    as_matrices = kind in (3, 8) or (order > 0 and kind < 3)
    for name in symbols:
        if not name.startswith("level") and name != "latents":
            heads[name] = 0 if as_matrices else varint(stream), *read(stream, "B")
            require(heads[name][0] <= 2 ** (24 + (".bias" in name)), "bad limit")
            require(heads[name][1] < (153 if as_matrices else 64), "bad scale")
    regime = read(stream, "B")[0] if kind == 4 else 0
    if kind == 8:
        limits = [varint(stream)]
        (words,) = read(stream, f"{4 * varint(stream)}s")
    require(max([0, *limits]) <= 2**24, "bad limit")
    decode_symbol = range_decoder(stream.read())
    if kind == 3:
        read_entries(decode_symbol, levels, limits, [used_entries(*level[1:], h, w) for level in own], order == 2)
    elif kind == 5:
        read_table(decode_symbol, symbols["level0"], limits, coded)
    elif kind == 6:
        read_levels(decode_symbol, levels, limits)
    for name, (limit, scale) in heads.items():
        q = symbols[name]
        if as_matrices:
            as_matrix = q.reshape(len(q), math.prod(q.shape[1:]))
            matrix = read_matrix(decode_symbol, as_matrix, scale, ".bias" in name, coded and q.ndim > 1)
            q[...] = matrix.reshape(q.shape)
        else:
            q[...] = Model(decode_symbol, limit, [scale]).run(np.zeros(q.shape, np.int64))
        q[...] = q.cumsum() if ".bias" in name else q
        require(abs(q).max(initial=0) <= 2**24, "symbol out of range")
    if kind == 4:
        read_wavelet(decode_symbol, own, symbols["level0"], regime, omitted)
    if kind == 8:
        tensors = {name: (symbols[name], steps[name]) for name in layout}
        read_grids(range_decoder(words), own, tensors, limits[0], h, w)
    return symbols


def read_packed(data, shape):  # section 5.11
    stream = BytesIO(data)
    folded, unit, (how,) = varint(stream), varint(stream), read(stream, "B")
    size, body = 1 << (how >> 4 & 3), stream.read()
    require(folded <= 2**25 and 0 < unit <= 2**25 and size <= 4 and how < 128, "bad packing")
    if how >> 6:
        body = read_frame(body, False, size * math.prod(shape))
    require(len(body) == size * math.prod(shape), "integers missing or left over")
    places = np.frombuffer(body, np.uint8).astype(np.int64).reshape(size, -1)
    numbers = sum(place << 8 * (size - 1 - i) for i, place in enumerate(places))
    planar = numbers.reshape(shape[2:] + shape[:2])
    numbers = planar.transpose(1, 2, 0) if how & 8 else numbers.reshape(shape)
    for axis in range(3):
        numbers = numbers.cumsum(axis=axis) % 2 ** (8 * size) if how >> axis & 1 else numbers
    integers = (-(folded + 1) // 2 if folded % 2 else folded // 2) + unit * numbers
    require(integers.max() <= 2**24, "symbol out of range")
    return integers


def read_levels(decode_symbol, levels, limits):  # section 5.6
    models = [Model(decode_symbol, limit, CLASS_SCALES) for limit in limits]
    for q, coarser in zip(levels, [None, *levels], strict=False):
        places = np.ogrid[: q.shape[0], : q.shape[1]]
        for f, model in enumerate(models):
            read_in_runs(q, f, model, None if coarser is None else coarser[places[0] >> 1, places[1] >> 1, f])


def read_in_runs(q, f, model, coarser):  # section 5.6.1: feature f in four runs
    known = np.zeros(q.shape[:2], np.int64)
    for row, col in RUNS:
        part = np.s_[row::2, col::2]
        q[..., f][part] = model.run(neighbour_contexts(q, coarser, f, known)[part])
        known[part] = 1


def used_entries(scale, size, h, w):  # section 5.10: numbers of the array, and whether on the lattice
    y, x = (np.union1d(lo, hi[f > 0]) for lo, hi, f in hash_axes(scale, h, w))
    r, entries = math.ceil(scale) + 1, hash_entries(scale, size, y[:, None], x)
    on_lattice = r * r <= size and max(y[-1], x[-1]) < r
    return entries if on_lattice else np.unique(entries)[None], on_lattice


def read_entries(decode_symbol, levels, limits, used, by_neighbours):  # section 5.10
    limits, coarser = iter(limits), None
    limits = [[next(limits) for _ in range(q.shape[1])] for q in levels]
    alike = [limit for limit, (_, on_lattice) in zip(limits, used, strict=True) if by_neighbours and on_lattice]
    models = [Model(decode_symbol, max(each), CLASS_SCALES) for each in zip_longest(*alike, fillvalue=0)]
    for table, limit, (entries, on_lattice) in zip(levels, limits, used, strict=True):
        q = np.zeros((*entries.shape, len(limit)), np.int64)
        if not by_neighbours or not on_lattice:
            read_table(decode_symbol, q, limit, False)
        else:
            for f in range(len(limit)):
                has_one = coarser is not None and f < coarser.shape[2]
                read_in_runs(q, f, models[f], at_finer(coarser[..., f], q.shape) if has_one else None)
            coarser = q
        table[entries] = q


def at_finer(coarser, shape):  # section 5.10
    y, x = ((2 * np.arange(n) + 1) * of // (2 * n) for n, of in zip(shape, coarser.shape, strict=False))
    return coarser[y[:, None], x]


def read_table(decode_symbol, q, limits, coded):  # section 5.7
    n = 192 if coded else 128
    parity = read_parities(decode_symbol, q.shape) if coded else None
    for f, limit in enumerate(limits):
        buckets, model = np.zeros(q.shape[:2], np.int64), table_model(decode_symbol, min(f, 2), limit, coded)
        for g in range(max(0, f - 2), f):
            buckets = n * buckets + (q[..., g] + limits[g]) * n // (2 * limits[g] + 1)
        if coded:
            q[..., f] = 2 * model.run(2 * buckets + parity[..., f]) + parity[..., f]
            require(np.all(abs(q[..., f]) <= limit), "value over its limit")
        else:
            q[..., f] = model.run(buckets)


def table_model(decode_symbol, f, limit, coded):  # section 5.7
    limit = (limit + 1) // 2 if coded else limit
    model = Model(decode_symbol, limit, [bisect_right(B[1:], 2 * limit)])
    n0, n1, n2 = (16, 48, 192) if coded else (16, 32, 128)
    pairs = [
        np.array([i // (n // o) * o + j // (n // o) for i in range(n) for j in range(n)])
        for o, n in ((n0, n1), (n1, n2))
    ]
    chain = [
        [],
        [np.zeros(n0, np.int64), np.arange(n2) // (n2 // n0)],
        [np.zeros(n0, np.int64), np.arange(n0 * n0) % n0, *pairs],
    ][f]
    if coded:
        chain = [np.zeros(2, np.int64), *((2 * each[:, None] + [0, 1]).ravel() for each in chain)]
        model.a, model.b = 8, 4
    model.around = chain
    model.inner = [np.zeros((len(each), model.high[0].shape[1]), np.int64) for each in chain]
    return model


def read_matrix(decode_symbol, like, scale, differences, coded):  # section 5.5
    (rows, cols), parity = like.shape, np.zeros_like(like)
    if coded:
        path = [decode_symbol(BIT) for _ in range(cols * -(-rows // 3))]
        parity = parities(path, (367, 435, 457), len(path)).reshape(cols, -1)[:, :rows].T
    rises, out = differences and decode_symbol(BIT), np.zeros_like(like)
    start, first = 0, (8 + scale % 8) << scale // 8 + 1
    while start < len(out):
        stop = min(len(out), max(1, 2 * start))
        mean = (8 * first + 256 * abs(out[:start]).sum(axis=0)) // (8 + start)
        mean = np.maximum(1, mean + (mean >> 4))
        e = np.frexp(mean * 1.0)[1] - 1
        z = np.tile((8 * e + (8 * mean >> e) - 40).clip(0, 152), stop - start)
        odd = parity[start:stop].reshape(-1)
        values = read_laplace(decode_symbol, -4 * odd, np.maximum(z - 8, 0) if coded else z)
        out[start:stop] = (2 * values + odd if coded else values).reshape(stop - start, -1)
        require(abs(out).max(initial=0) <= 2**24, "symbol out of range")
        start = stop
    return np.where(out < 0, -2 * out - 1, 2 * out) if rises else out


def read_parities(decode_symbol, shape):  # section 5.7
    n = shape[0] * shape[1] * shape[2]
    generators = [(367, 435, 457), (369, 491, 0)][decode_symbol(BIT)]
    path = [decode_symbol(BIT) for _ in range(-(-n // 3))]
    return parities(path, generators, 1024)[:n].reshape(shape)


def parities(path, generators, run):  # section 5.4
    out = [
        sum(path[t - a] for a in range(min(8, t % run) + 1) if g >> (8 - a) & 1) % 2
        for t in range(len(path))
        for g in generators
    ]
    return np.array(out)


def neighbour_contexts(q, coarser, f, known):  # section 5.6.1; coarser: its symbol for each entry
    (rows, cols, _), (a, b) = q.shape, np.zeros((2, *known.shape), np.int64)
    if coarser is not None:
        a, b = a + 16 * abs(coarser), b + 16
    same, seen = np.pad(abs(q[..., f]), 1), np.pad(known, 1)  # entries not decoded yet are 0
    before = np.pad(abs(q[..., f - 1]), 1, mode="edge")
    for dy, dx in product((-1, 0, 1), repeat=2):
        window = np.s_[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + cols]
        g, g_before = ((0, 12), (16, 3), (8, 0))[abs(dy) + abs(dx)]
        a, b = a + g * same[window], b + g * seen[window]
        if f > 0:
            a, b = a + g_before * before[window], b + g_before
    return np.searchsorted(CLASSES, 16 * a // np.maximum(b, 1), side="right") + 16 * known[0, 0]


def bands(s):  # section 4.6: (orientation HL, LH, HH or LL, l, places)
    yield 3, s, np.s_[:: 2**s, :: 2**s]
    for level in range(s, 0, -1):
        h = 2 ** (level - 1)
        yield from ((o, level, np.s_[y :: 2 * h, x :: 2 * h]) for o, (y, x) in enumerate(((0, h), (h, 0), (h, h))))


def earlier(p):  # section 5.8, offsets of known entries of the same band and feature
    offsets = product(range(-2, 3), repeat=2)
    return [(y, x) for y, x in offsets if RUNS.index(((RUNS[p][0] + y) % 2, (RUNS[p][1] + x) % 2)) < p]


def smooth_picture(s, q, level):  # section 5.8
    plane = np.zeros_like(q)
    for o, coarser, place in bands(s):
        if o == 3 or coarser > level:
            plane[place] = q[place] * GAINS[coarser if o == 3 else coarser - 1 - (o == 2)] + 128 >> 8
    lift(plane, range(s, level, -1))
    return plane[:: 2**level, :: 2**level]


def slopes(smooth, o, y, x):  # section 5.8
    along_x = product({0: (-1, 0, 1), 1: (), 2: (0, 1)}[o], (-1, 0, 1))
    along_y = product((-1, 0, 1), {0: (), 1: (-1, 0, 1), 2: (0, 1)}[o])
    pairs = [(dy, dx, 0, 1) for dy, dx in along_x] + [(dy, dx, 1, 0) for dy, dx in along_y]
    rows, cols = smooth.shape
    for dy, dx, down, right in pairs:
        ends = [((y + dy + k * down).clip(0, rows - 1), (x + dx + k * right).clip(0, cols - 1)) for k in (0, 1)]
        d = (smooth[ends[1]] - smooth[ends[0]]).clip(-(2**14), 2**14)
        e = np.frexp(abs(d) + 16.0)[1] - 1
        yield np.sign(d) * (32 * e + (32 * (abs(d) + 16) >> e) - 160)


def read_wavelet(decode_symbol, s, q, regime, omitted):  # section 5.8, without the finest levels
    known, networks, places = (
        np.zeros_like(q),
        read_networks(),
        {(o, level): place for o, level, place in bands(s)},
    )
    for o, level, place in bands(s):
        if o < 3 and level <= omitted:
            break
        smooth = smooth_picture(s, q, level) if o < 3 and q[place].size else None
        (rows, cols, features), c = q[place].shape, s if o == 3 else level - 1
        for f, (p, (row, col)) in product(range(features), enumerate(RUNS)):
            y, x = np.mgrid[row:rows:2, col:cols:2].reshape(2, -1)
            if not y.size:
                continue
            parent = known[places[o, level + 1]][..., f] if (o, level + 1) in places and o < 3 else np.zeros((0, 0))
            seen = [(known[place][..., f], 1, earlier(p)), *([(parent, 2, NINE)] if o < 3 else [])]
            seen += [(known[places[sibling, level]][..., f], 1, NINE) for sibling in range(o % 3)]
            seen += [(known[place][..., f - i], 1, (NINE, CROSS)[i - 1]) for i in range(1, f + 1)]
            inputs = []
            for plane, scale, offsets in seen:
                framed = np.zeros((rows + 4, cols + 4), np.int64)
                part = plane[:rows, :cols]
                framed[2 : 2 + part.shape[0], 2 : 2 + part.shape[1]] = part
                inputs += [framed[y // scale + 2 + dy, x // scale + 2 + dx] for dy, dx in offsets]
            inputs += slopes(smooth[..., f], o, y, x) if smooth is not None else []
            inputs += [np.full(len(y), scalar) for scalar in (11 * min(c, 3), 32 * (c == 0), regime - 88)]
            v = read_laplace(decode_symbol, *predict(networks[o, f, p], np.array(inputs)))
            e = np.frexp(abs(v) + 1.0)[1] - 1
            q[place][y, x, f] = v
            known[place][y, x, f] = np.sign(v) * (32 * e + (32 * (abs(v) + 1) >> e) - 32)


def read_networks():  # section 5.9
    blob, networks, at = NETWORKS.read_bytes(), {}, 1
    blob = np.frombuffer(blob, "<i2").astype(np.int64)
    for o, f, p in product(range(4), range(3), range(4)):
        n, layers = len(earlier(p)) + (9 * o + 9) % 36 + (0, 9, 14)[f] + (9, 9, 12, 0)[o] + 3, []
        for n_in, n_out in pairwise((n, blob[0], blob[0], 2)):
            matrix, bias = np.split(blob[at : at + n_out * (n_in + 1)], [n_out * n_in])
            layers.append((matrix.reshape(n_out, n_in), bias[:, None]))
            at += n_out * (n_in + 1)
        networks[o, f, p] = layers
    require(at == len(blob), "not the context networks")
    return networks


def predict(layers, x):  # section 5.9: location, index of scale
    for (matrix, bias), (u, v) in zip(layers, ((5, 8), (8, 8), (8, 3)), strict=True):
        x = matrix @ x + (bias << u) + (1 << u + 9 - v) >> u + 10 - v
        x = x if v == 3 else np.maximum(x, 0)
    return x[0].clip(-(2**27), 2**27), (x[1] + 32).clip(0, 152)


@cache
def laplace_table(t, r, unit=8):  # section 5.3; section 5.12 with locations in units of 1/32
    decay, least = (DECAYS[t], 2**13) if unit == 8 else (GRID_DECAYS[t], 2**8)
    tails = [*accumulate(repeat(decay, 65 * unit), lambda tail, d: tail * d >> 30, initial=2**30)]
    places = [unit * q + unit // 2 - r for q in range(-64, 64)]
    below = [0, *(tails[-x] if x < 0 else 2**31 - tails[x] for x in places), 2**31]
    return cumulative_table(np.diff(below) + least)


def read_laplace(decode_symbol, m, z):  # section 5.3
    k = np.maximum(0, -((56 - z) // 8))
    t, middle = z - 8 * k, m + 4 >> 3
    r, (high, low, beyond) = np.where(k == 0, m - 8 * middle, 0), np.zeros((3, len(m)), np.int64)
    for i in np.lexsort((r, t)):
        high[i] = decode_symbol(laplace_table(int(t[i]), int(r[i]))) - 64
    for i in np.argsort(k, kind="stable"):
        low[i] = decode_symbol(range(0, 2**24 + 1, 2 ** int(24 - k[i]))) if k[i] else 0
    for shift, i in product((13, 0), np.flatnonzero(abs(high) == 64)):
        beyond[i] += decode_symbol(range(0, 2**24 + 1, 2**11)) << shift
    v = middle - (2**k >> 1) + ((high + np.sign(high) * beyond) << k) + low
    require(np.all(abs(v) <= 2**24), "coefficient too large")
    return v


def grid_shapes(own, h, w):  # section 4.8: level, whether hyperlatent, rows, cols
    levels, hyper, *_ = own
    for level in range(levels):
        for is_hyper in (False, True)[: 1 + (level >= levels - hyper)]:
            yield level, is_hyper, -(-h // 2**level), -(-w // 2**level)


def split_grids(own, latents, h, w):  # section 4.8: (level, whether hyperlatent, entries)
    at = 0
    for level, is_hyper, rows, cols in grid_shapes(own, h, w):
        yield level, is_hyper, latents[at : at + rows * cols, 0].reshape(rows, cols)
        at += rows * cols


def read_grids(decode_symbol, own, tensors, limit, h, w):  # section 5.12
    levels, _, near, mapped, _ = own
    n, (entropy, step), (bias, bias_step) = near + mapped, tensors["entropy"], tensors["entropy_bias"]
    grids, first = [*split_grids(own, tensors["latents"][0], h, w)], [0]
    for i in range(min(3, levels - 1)):
        first.append(first[-1] + len(grids) - 1 - i)
    layers = [((entropy[i : i + n], step), (bias[i : i + n], bias_step)) for i in (0, n)]
    last = (np.hstack([entropy[2 * n : 2 * n + 2], entropy[2 * n + 2 :]]), step), (bias[2 * n :], bias_step)
    for i in reversed(range(len(grids))):
        level, _, q = grids[i]
        rows, cols = q.shape
        framed = np.zeros((rows + 3, cols + 5), np.int64)  # entry (y, x) at (y + 3, x + 3)
        for y, x in sorted(product(range(rows), range(cols)), key=lambda place: (place[1] + 3 * place[0], place[0])):
            inputs = np.zeros((1, n), np.int64)
            inputs[0, :near] = [framed[y + 3 + dy, x + 3 + dx] << 16 for dy, dx in AROUND[:near]]
            if i < min(3, levels - 1) and mapped:
                seen = np.array([[other[y >> at - level, x >> at - level] for at, _, other in grids[i + 1 :]]])
                matrix = tensors["maps"][0][:, first[i] : first[i + 1]], tensors["maps"][1]
                own_bias = tensors["map_bias"][0][i * mapped : (i + 1) * mapped], tensors["map_bias"][1]
                inputs[0, near:] = affine(seen, matrix, own_bias, 0, 16)
            hidden = inputs
            for layer in layers:
                hidden = np.maximum(0, hidden + affine(hidden, *layer, 16, 16))
            m, e = affine(np.hstack([hidden, inputs]), *last, 16, 5)[0].tolist()
            v = read_entry(decode_symbol, max(-(2**29), min(2**29, m)), max(0, min(160, (e + 2 >> 2) + 40)))
            require(abs(v) <= limit, "entry over its limit")
            q[y, x] = framed[y + 3, x + 3] = v


def read_entry(decode_symbol, m, z):  # section 5.12
    k, middle = max(0, -((64 - z) // 8)), m + 16 >> 5
    high = decode_symbol(laplace_table(z - 8 * k, 0 if k else m - 32 * middle, 32)) - 64
    low = decode_symbol(range(0, 2**24 + 1, 2 ** (24 - k))) if k else 0
    if abs(high) == 64:
        beyond = [decode_symbol(range(0, 2**24 + 1, 2**11)) for _ in range(2)]
        high += (beyond[0] << 13 | beyond[1]) * (1 if high > 0 else -1)
    return middle - (2**k >> 1) + (high << k) + low


def rescale(z, step, shift):  # section 3
    k, top = step[1] + shift, int(abs(z).max()) * step[0]
    require(top << max(k, 0) < 2**52, "numbers too large")
    return z * step[0] << k if k >= 0 else (z * step[0] + (1 << -k - 1)) >> -k if k > -60 else 0 * z


def synthesise(s, table, step, omitted=0):  # section 4.6
    v = np.zeros_like(table)
    for o, level, place in bands(s):
        if v[place].size:
            v[place] = rescale(table[place] * GAINS[level if o == 3 else level - 1 - (o == 2)], step, 4)
    lift(v, range(s, omitted, -1))
    return v


def lift(v, levels):  # section 4.6
    for level in levels:
        lattice = v[:: 2 ** (level - 1), :: 2 ** (level - 1)]
        for lines in (lattice, lattice.swapaxes(0, 1)):
            require(abs(v).max() < 2**33, "numbers too large")
            for a, parity in LIFTING if len(lines) > 1 else ():
                i, last = np.arange(parity, len(lines), 2), len(lines) - 1
                lines[i] -= a * (lines[abs(i - 1)] + lines[last - abs(last - i - 1)]) + 2**12 >> 13
    require(abs(v).max() < 2**33, "numbers too large")


def coarse_levels(s, k, tensors):  # section 11: (rows, cols, c) in units of 2^-24
    v = synthesise(s, *tensors["level0"], omitted=k - 1)[:: 2 ** (k - 1), :: 2 ** (k - 1)]
    for axis in (0, 1):
        i, last = 2 * np.arange(-(-v.shape[axis] // 2)), v.shape[axis] - 1
        taken = [weight * v.take(np.minimum(i + n, last), axis) for n, weight in enumerate(COARSE[k][:3])]
        v = sum(taken) + 64 >> 7
    rows, cols, _ = v.shape
    encoded = (v * COARSE[k][3] + 2**15 >> 16).reshape(rows * cols, -1)
    return affine(encoded, tensors["skip"], tensors["bias_out"], 16, 24).reshape(rows, cols, -1)


def block_means(samples, alpha, n):  # section 11
    blocks = [np.add.reduceat(np.ones(size, int), range(0, size, n)) for size in samples.shape[:2]]
    count = np.outer(*blocks)[..., None]
    sums = lambda x: np.add.reduceat(np.add.reduceat(x, range(0, len(x), n)), range(0, x.shape[1], n), 1)  # noqa: E731
    mean = lambda total, by: (2 * total + by) // np.maximum(2 * by, 1)  # noqa: E731
    x = samples.astype(np.int64)
    if alpha is None:
        return mean(sums(x), count).astype(samples.dtype), None
    a = alpha.astype(np.int64)[..., None]
    by = sums(a)
    means = np.where(by > 0, mean(sums(x * a), by), mean(sums(x), count))
    return means.astype(samples.dtype), mean(by, count)[..., 0].astype(alpha.dtype)


def interpolate(axes, b, corner_of, step, h, w):  # section 4.4; of an axis: lo, hi, f
    total, weights = 0, [((lo, 2**b - f), (hi, f)) for lo, hi, f in axes]
    for (y, weight_y), (x, weight_x) in product(*weights):
        total = total + corner_of(y[:, None], x) * (weight_y[:, None] * weight_x)[..., None]
    return rescale(total, step, 16 - 2 * b).reshape(h * w, -1)


def hash_axes(scale, h, w):  # section 4.4: lo, hi, f of rows and of columns
    per_pixel = Fraction(scale) * Fraction(2**11, max(h, w))
    for n in (h, w):
        p = np.array([math.floor(per_pixel * (2 * j + 1)) + 2**11 for j in range(n)])
        yield p >> 12, (p >> 12) + 1, p % 2**12


def hash_entries(scale, size, y, x):  # section 4.4: numbers of the entries of corners
    r = math.ceil(scale) + 1
    return (x + y * r if r * r <= size else x ^ y * 2654435761 % 2**32) % size


def hash_level(scale, table, step, h, w):  # section 4.4
    corner = lambda y, x: table[hash_entries(scale, len(table), y, x)]  # noqa: E731
    return interpolate(hash_axes(scale, h, w), 12, corner, step, h, w)


def dense_level(s, table, step, h, w):  # section 4.5
    axes = []
    for n, entries in zip((h, w), table.shape, strict=False):
        c, f = np.divmod(2 * np.arange(n) + 1 - 2**s, 2 ** (s + 1))
        axes.append((c.clip(0, entries - 1), (c + 1).clip(0, entries - 1), f))
    return interpolate(axes, s + 1, lambda y, x: table[y, x], step, h, w)


def affine(x, weight, bias, unit_in, unit_out):  # section 3; weight and bias: symbols, step
    q, step = weight
    bound = (abs(x).astype(float) @ abs(q).T.astype(float)).max()
    require(bound * step[0] < 2**52, "numbers too large")
    y = rescale(x @ q.T, step, unit_out - unit_in)
    return y + rescale(*bias, unit_out) if bias else y


def evaluate(kind, own, tensors, h, w):  # section 4: (H W, C) in units of 2^-24
    if kind == 1:
        return siren(own, tensors, h, w)
    if kind == 2:
        return evaluate_tiles(*own, tensors, h, w)
    if kind == 7:
        return rescale(*tensors["level0"], 24).reshape(h * w, -1)
    if kind == 8:
        return read_out(grid_values(own, tensors, h, w), own[4] + 1, tensors)
    if kind == 4:
        encoded = synthesise(own, *tensors["level0"]).reshape(h * w, -1)
    elif kind == 3:
        levels = [hash_level(scale, *tensors[f"level{i}"], h, w) for i, (_, scale, _) in enumerate(own)]
        encoded = np.hstack(levels)
    else:
        encoded = np.hstack([dense_level(s, *tensors[f"level{i}"], h, w) for i, s in enumerate(own)])
    return relu_network(encoded, tensors, filters(encoded, tensors, h, w) if kind == 4 else None)


def relu_network(encoded, tensors, x):  # section 4.3; x: behind the filters
    last, i = tensors.get("bias_out"), 0 if x is None else 1
    x = encoded if x is None else x
    while f"weight{i + 1}" in tensors:
        x, i = np.maximum(affine(x, tensors[f"weight{i}"], tensors.get(f"bias{i}"), 16, 16), 0), i + 1
    if f"weight{i}" not in tensors:
        return affine(encoded, tensors["skip"], last, 16, 24)
    out = affine(x, tensors[f"weight{i}"], last, 16, 24)
    return out + affine(encoded, tensors["skip"], None, 16, 24) if "skip" in tensors else out


def filters(encoded, tensors, h, w):  # section 4.6
    if "weight1" not in tensors:
        return None
    n, (m, e), framed = tensors["weight1"][0].shape[1], tensors["level0"][1], encoded.reshape(h, w, -1)
    framed = np.pad(framed, ((2, 2), (2, 2), (0, 0)), mode="edge")
    x = np.dstack([framed[y : y + h, x : x + w] for y, x in product(range(5), repeat=2)]).reshape(h * w, -1)
    used = np.frombuffer(FILTERS.read_bytes(), "<i2").astype(np.int64).reshape(128, 76)[:n]
    kernels = used[:, :75].reshape(n, 25, 3)[..., : encoded.shape[1]].reshape(n, -1)
    return np.maximum(affine(x, (kernels, (128, -17)), (used[:, 75], (m, e - 10)), 16, 16), 0)


def smoothed(x, taps, step, shift):  # section 4.8, along the first axis
    framed = np.pad(x, ((3, 3), (0, 0)))
    return rescale(sum(taps[min(i, 6 - i)] * framed[i : i + len(x)] for i in range(7)), step, shift)


def doubled(x, taps, step):  # section 4.8, along the first axis
    (a, b, c, d), framed = taps, np.pad(x, ((2, 2), (0, 0)), mode="edge")
    lines = [framed[i : i + len(x)] for i in range(5)]
    pairs = [rescale(a * p[0] + b * p[3] + c * p[1] + d * p[2], step, 0) for p in (lines, lines[::-1])]
    return np.stack(pairs, axis=1).reshape(2 * len(x), -1)


def grid_values(own, tensors, h, w):  # section 4.8: (levels, h, w)
    latents, latents_step = tensors["latents"]
    require(latents_step == (128, -7), "bad step of latents")
    grids = [q for _, is_hyper, q in split_grids(own, latents, h, w) if not is_hyper]
    found, (taps, step) = [grids[-1] << 16], tensors["filters"]
    for level in reversed(range(len(grids) - 1)):
        q, own_taps = grids[level], taps[len(grids) - 1 + level]
        found = [doubled(doubled(x.T, taps[level], step).T, taps[level], step) for x in found]
        own_values = smoothed(smoothed(q.T, own_taps, step, 16).T, own_taps, step, 0)
        found = [own_values] + [x[: len(q), : q.shape[1]] for x in found]
    return np.array(found)


def read_out(x, hidden, tensors):  # section 4.8: (h w, c)
    (levels, h, w), ((q, step), (bias, bias_step)) = x.shape, (tensors["synthesis"], tensors["synthesis_bias"])
    flat, c = x.reshape(levels, -1).T, len(q) - hidden
    biases = [(each, bias_step) for each in np.split(bias, [hidden, hidden + c, hidden + 2 * c])]
    y = affine(np.maximum(0, affine(flat, (q[:hidden], step), biases[0], 16, 16)), tensors["out"], biases[1], 16, 16)
    for i in range(2):
        near = tensors["near"][0][i * c : (i + 1) * c], tensors["near"][1]
        framed = np.pad(y.T.reshape(c, h, w), ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = [framed[j, dy : dy + h, dx : dx + w].ravel() for j, dy, dx in product(range(c), range(3), range(3))]
        y = y + affine(np.array(around).T, near, biases[2 + i], 16, 16)
        y = np.maximum(0, y) if i == 0 else y
    y = y + affine(flat, (q[hidden:], step), None, 16, 16)
    scale, scale_step = tensors["scale"]
    return rescale(y * scale[:, 0], scale_step, 8) + rescale(*tensors["offset"], 24)


def siren(frequencies, tensors, h, w):  # section 4.1
    rows, cols = ([((2 * i - n + 1 << 21) + n - 1) // max(2 * n - 2, 1) for i in range(n)] for n in (h, w))
    x, unit, first = np.array([(col, row) for row in rows for col in cols]), 20, 0
    if frequencies:
        rising = np.array([*accumulate(range(frequencies - 1), lambda f, _: (8 * f + 2) // 5, initial=16)])
        phases = rescale(np.hstack([x[:, :1] * rising, x[:, 1:] * rising]), (128, -12), -4)
        x, unit, first = SINE[np.hstack([phases, phases + 2**14]) % 65536], 15, 1
    while f"weight{first}" in tensors:
        p = affine(x, tensors[f"weight{first}"], tensors[f"bias{first}"], unit, 16)
        x, unit, first = SINE[p % 65536], 15, first + 1
    return affine(x, tensors["weight_out"], tensors["bias_out"], unit, 24)


def evaluate_tiles(grid, frequencies, tensors, h, w):  # section 4.2
    outputs = {}
    for t, (i, j) in enumerate(product(*map(range, grid))):
        rows, cols = (range(n * k // of, n * (k + 1) // of) for n, k, of in ((h, i, grid[0]), (w, j, grid[1])))
        own = {name.split(".")[1]: tensor for name, tensor in tensors.items() if name.startswith(f"{t}.")}
        outputs |= zip(product(rows, cols), siren(frequencies, own, len(rows), len(cols)), strict=True)
    return np.array([outputs[place] for place in product(range(h), range(w))])


def read_planes(data, n, h, w, depth):  # section 7.1
    require(data[:1] in (b"\0", b"\1"), "bad planes")
    if data[0]:
        planes = np.moveaxis(read_packed(data[1:], (h, w, n)), 2, 0)
    else:
        decode_symbol = range_decoder(data[1:])
        planes = [read_plane(decode_symbol, h, w, depth) for _ in range(n)]
    require(all(plane.min() >= 0 and plane.max() < 2**depth for plane in planes), "sample out of range")
    return planes


def read_plane(decode_symbol, h, w, depth):  # section 7.1
    model = Model(decode_symbol, 2**depth - 1, [bisect_right(B[1:], 2 ** (c + 1)) for c in range(depth + 1)])
    plane, s = np.zeros((h, w), np.int64), 1
    plane[0, 0] = 2 ** (depth - 1) + model.run(np.array([depth]))[0]
    diagonal, direct = [(-1, -1), (-1, 1), (1, -1), (1, 1)], [(-1, 0), (1, 0), (0, -1), (0, 1)]
    while 2 * s < max(h, w):
        s *= 2
    while s:
        for row, col, offsets in ((s, s, diagonal), (0, s, direct), (s, 0, direct)):
            y, x = np.mgrid[row : h : 2 * s, col : w : 2 * s].reshape(2, -1)
            padded = np.pad(plane.astype(float), s, constant_values=np.nan)
            near = np.array([padded[y + s + s * dy, x + s + s * dx] for dy, dx in offsets])
            n, total = np.sum(~np.isnan(near), axis=0), np.nansum(near, axis=0)
            contexts = np.frexp(np.nanmax(near, axis=0) - np.nanmin(near, axis=0))[1]  # bit lengths
            plane[y, x] = (total + n // 2) // n + model.run(np.minimum(contexts, depth))
        s //= 2
    return plane


def read_residual(data, places, signs, peak):  # section 7.2
    stream, r = BytesIO(data), np.zeros_like(places)
    limits = [varint(stream) for _ in range(r.shape[2])]
    require(max(limits) <= peak, "bad limit")
    decode_symbol = range_decoder(stream.read())
    for c, limit in enumerate(limits):
        model, known = Model(decode_symbol, limit, CLASS_SCALES * 5), np.zeros(r.shape[:2], np.int64)
        for row, col in RUNS:
            part = np.s_[row::2, col::2]
            contexts = neighbour_contexts(r, None, c, known) + 32 * places[..., c]
            r[..., c][part] = signs[..., c][part] * model.run(contexts[part])
            known[part] = 1
    return r


def read_order(transforms, planes, h, w, depth):  # section 6, permutations
    order, (rows, cols) = np.arange(h * w), np.divmod(np.arange(h * w), w)
    path = np.lexsort((np.where((rows + cols) % 2, rows, -rows), rows + cols))
    n_planes = [kind for kind, _ in transforms].count(2)
    keys = iter(read_planes(planes, n_planes, h, w, depth) if n_planes else ())
    for kind, values in transforms:
        if kind == 1:
            order = order[np.argsort(np.random.Philox(key=values[1], counter=0).random_raw(h * w), kind="stable")]
        elif kind == 2:
            pixels = np.argsort(next(keys).ravel(), kind="stable")
            order = order[pixels[np.argsort(path)]]
    return order


def to_samples(transforms, outputs, channel, peak, as_they_are):
    # section 6, value maps, with section 7.2's places and signs
    transforms = [] if as_they_are else transforms
    sign, big = (-1) ** sum(kind == 16 for kind, _ in transforms), Decimal(10) ** 100

    @cache
    def threshold(k):
        if as_they_are:
            return 2**24 * k - 2**23
        z = Decimal(2 * k - 1) / (2 * peak)
        for kind, values in transforms:
            if kind in VALUE_MAPS:
                n = {17: 2, 21: 3}.get(kind, 0)
                own = values[n * channel : n * (channel + 1)] if n else values
                z = VALUE_MAPS[kind](z, [Decimal(v) / 10**6 for v in own])
                z = Decimal(0) if abs(z) < 1 / big else max(-big, min(big, z))
        z = max(Decimal(-(2**40)), min(Decimal(2**40), 2**24 * sign * z - Decimal(10) ** -20))
        return int(z.to_integral_value(ROUND_CEILING))

    with localcontext(Context(prec=50)):
        for o in (sign * outputs).tolist():
            k, e = bisect_right(range(1, peak + 1), o, key=threshold), 0
            if 0 < k < peak:
                e = 8 * (o - threshold(k)) // (threshold(k + 1) - threshold(k))
            yield k, 4 if k in (0, peak) else min(e, 7 - e), -1 if e > 3 or k == peak else 1


def read_frame(frame, checksum, most):  # sections 5.11 and 8
    try:
        stated = zstandard.get_frame_parameters(frame)
        require(stated.has_checksum or not checksum, "no checksum")
        require(not stated.dict_id and 0 < stated.content_size <= most, "bad frame")
        return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError("bad frame") from error


def decode(data: bytes, n: int = 1) -> tuple[np.ndarray, np.ndarray | None, dict[str, bytes]]:
    """Return samples (H, W, C), alpha (H, W) or None, and those of icc, exif and xmp; reduced by n, a power of two."""
    chunks, transforms = read_chunks(data), []
    head = BytesIO(chunks.get(b"HEAD", b""))  # section 2
    _, _, mode, _, _, digest = read(head, "B3sBHH8s")
    channels, depth, w, h = mode & 3, 16 if mode & 4 else 8, varint(head), varint(head)
    require(channels in (1, 3) and 1 <= w * h <= 2**20, "bad mode, no pixels, or over own limit")
    (field,) = read(head, "B")
    layout, own = read_field(field, *read(head, f"{varint(head)}s"), h, w, channels)
    require(sum(math.prod(shape) for shape in layout.values()) <= 2**24, "over own limit of parameters")
    stream = BytesIO(*read(head, f"{varint(head)}s"))
    for _ in range(*read(stream, "B")):
        (kind,) = read(stream, "B")
        require(kind in PARAMETERS, "unknown transform")
        values = read(stream, PARAMETERS[kind] * (channels if kind in (17, 21) else 1))
        low, high = BOUNDS.get(kind, (0, 2**64))
        require(len(transforms) < 8 and all(low <= v <= high for v in values), "bad parameter or too many transforms")
        require((kind != 1 or values[0] == 1) and (kind != 17 or 0 not in values[1::2]), "bad parameter")
        for low, high, gamma in zip(*[iter(values if kind == 21 else ())] * 3, strict=True):
            require(low < high <= 10**6 and 200000 <= gamma <= 5 * 10**6, "bad parameter")
        transforms.append((kind, values))
    steps = {name: read(head, "Bb") for name in layout}
    require(not stream.read() and not head.read(), "bytes left over in the header")
    require(all(mantissa >= 128 for mantissa, _ in steps.values()), "bad step")
    announced = {kind for bit, kind in enumerate(KNOWN_CHUNKS[4:], 3) if mode >> bit & 1}
    needed = {b"HEAD", b"WGHT"} | {b"PLAN" for kind, _ in transforms if kind == 2} | announced
    require(needed == {*chunks} - {b"RESD"}, "chunk missing or superfluous")
    k = n.bit_length() - 1  # section 11
    is_coarse = field == 4 and not mode & 8 and 2 <= k <= own + 1
    symbols = read_weights(chunks[b"WGHT"], field, own, layout, steps, h, w, k - 1 if is_coarse else 0)
    tensors = {name: (symbols[name], steps[name]) for name in layout}
    if is_coarse:
        outputs = coarse_levels(own, k, tensors)
        h, w, _ = outputs.shape
        outputs = outputs.reshape(h * w, channels)
    else:
        outputs = evaluate(field, own, tensors, h, w)
    exact, alpha = np.zeros((h * w, channels, 3), np.int64), None
    order = read_order(transforms, chunks.get(b"PLAN"), h, w, depth)
    for c in range(channels):
        exact[order, c] = list(to_samples(transforms, outputs[:, c], c, 2**depth - 1, field == 7))
    samples, places, signs = np.moveaxis(exact.reshape(h, w, channels, 3), 3, 0)
    if b"RESD" in chunks and not is_coarse:
        samples = samples + read_residual(chunks[b"RESD"], places, signs, 2**depth - 1)
        require(samples.min() >= 0 and samples.max() < 2**depth, "sample out of range")
    samples = samples.astype(np.uint16 if depth == 16 else np.uint8)
    if mode & 8:
        alpha = read_planes(chunks[b"ALPH"], 1, h, w, depth)[0].astype(samples.dtype)
    raw = b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in (samples, alpha) if a is not None)
    require(is_coarse or hashlib.sha256(raw).digest()[:8] == digest, "digest mismatch")  # section 9
    if n > 1 and not is_coarse:
        samples, alpha = block_means(samples, alpha, n)
    names = {"icc": b"iccp", "exif": b"exif", "xmp": b"xmpm"}
    metadata = {name: read_frame(chunks[kind], True, 2**26) for name, kind in names.items() if kind in chunks}
    return samples, alpha, metadata


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        full = np.dstack([plane for plane in decode(file.read())[:2] if plane is not None])
    np.save(sys.argv[2], full[..., 0] if full.shape[2] == 1 else full)
