"""An independent decoder for .nfc files, written from docs/format.md alone; section numbers below refer to it.

It shares no code with the codec and favours plainness over speed: a reference to read, and a proof that the document is
complete. Usage: python decoder.py in.nfc out.npy
"""

import hashlib
import itertools
import math
import struct
import sys
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

import numpy as np
import zstandard

Array = np.ndarray
Step = tuple[int, int]  # mantissa, exponent
KNOWN_CHUNKS = [b"HEAD", b"PLAN", b"WGHT", b"ALPH", b"iccp", b"exif", b"xmpm"]
RUNS = [(0, 0), (1, 1), (0, 1), (1, 0)]
CLASSES = [1, 2, 5, 7, 10, 13, 16, 21, 27, 35, 48, 64, 96, 144, 224]
CLASS_SCALES = [0, 0, 0, 0, 0, 1, 3, 4, 6, 7, 9, 11, 13, 15, 17, 21] * 2
SINE = np.array([math.floor(2**15 * math.sin(2 * math.pi * i / 65536) + 0.5) for i in range(65536)])


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


class Reader:
    """Reads fields off the front of a byte string."""

    def __init__(self, data: bytes):
        self.data = data

    def take(self, n: int) -> bytes:
        require(n <= len(self.data), "truncated")
        head, self.data = self.data[:n], self.data[n:]
        return head

    def unpack(self, layout: str) -> tuple:
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def u8(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        groups = [self.u8()]
        while groups[-1] & 0x80:
            require(len(groups) < 5, "varint too long")
            groups.append(self.u8())
        require(len(groups) == 1 or groups[-1] != 0, "varint not in its shortest form")
        return sum((group & 0x7F) << 7 * i for i, group in enumerate(groups))

    def end(self) -> None:
        require(not self.data, "bytes left over")


def read_chunks(data: bytes) -> dict[bytes, bytes]:  # section 1
    reader = Reader(data)
    require(reader.take(8) == b"\x8bNFC\r\n\x1a\n", "not an .nfc file")
    require(reader.unpack("BB")[0] == 1, "unknown major version")
    chunks: dict[bytes, bytes] = {}
    while reader.data:
        kind, length = reader.unpack("4sI")
        payload = reader.take(length)
        require(reader.unpack("I")[0] == zlib.crc32(kind + payload), "wrong CRC")
        if kind in KNOWN_CHUNKS:
            require(all(KNOWN_CHUNKS.index(kind) > KNOWN_CHUNKS.index(k) for k in chunks), "chunk repeated or misplaced")
            chunks[kind] = payload
        else:
            require(0x61 <= kind[0] <= 0x7A, "unknown chunk")
    require(b"HEAD" in chunks and b"WGHT" in chunks, "chunk missing")
    return chunks


@dataclass
class Level:
    """One level of an ngp field: dense if scale is None, else hash."""

    s: int
    shape: tuple[int, ...]
    scale: Fraction | None = None


def read_field(kind: int, data: bytes, h: int, w: int, c: int) -> tuple[list[Level], dict[str, tuple[int, ...]]]:
    """Section 3: the levels (none for siren) and the layout: name -> shape."""
    reader, layout, levels = Reader(data), {}, []
    require(kind in (1, 2), "unknown field")
    if kind == 1:
        width, hidden = reader.unpack("HB")
        require(1 <= width <= 4096 and hidden <= 63, "bad siren description")
        for i in range(hidden + 1):
            layout |= {f"weight{i}": (width, width if i else 2), f"bias{i}": (width,)}
        layout |= {"weight_out": (c, width), "bias_out": (c,)}
    else:
        for _ in range(reader.u8()):
            code = reader.u8()
            s, features = code >> 3 & 7, (code & 7) + 1
            if code >> 6 == 0:
                levels.append(Level(s, (-(-h >> s), -(-w >> s), features)))
            else:
                scale, size = reader.unpack("fI")
                require(code >> 6 == 1 and s == 0 and 0 < scale < 65535 and features in (1, 2, 4, 8), "bad level")
                require(size % 8 == 0 and 8 <= size <= 2**24, "bad hash table size")
                levels.append(Level(0, (size, features), Fraction(scale)))
        strides = [level.s for level in levels if level.scale is None]
        require(all(a > b for a, b in itertools.pairwise(strides)), "dense levels out of order")
        widths = list(reader.unpack(f"{reader.u8()}H"))
        flags = reader.u8()
        require(1 <= len(levels) <= 32 and len(widths) <= 16 and all(1 <= n <= 4096 for n in widths), "bad ngp sizes")
        require(flags < 4 and bool(widths or flags & 2), "bad ngp flags")
        layout |= {f"level{i}": level.shape for i, level in enumerate(levels)}
        inputs = encoded = sum(level.shape[-1] for level in levels)
        if flags & 2:
            layout["skip"] = (c, encoded)
        for i, n in enumerate(widths):
            layout[f"weight{i}"] = (n, inputs)
            if flags & 1:
                layout[f"bias{i}"] = (n,)
            inputs = n
        if widths:
            layout["weight_out"] = (c, inputs)
        if flags & 1:
            layout["bias_out"] = (c,)
    reader.end()
    return levels, layout


class RangeDecoder:  # section 5.1
    def __init__(self, stream: bytes):
        require(len(stream) % 4 == 0, "range coded stream is not in whole words")
        self.words: Iterator[int] = itertools.chain((w for (w,) in struct.iter_unpack("<I", stream)), itertools.repeat(0))
        self.lower, self.range = 0, 2**64 - 1
        self.point = next(self.words) << 32 | next(self.words)

    def symbol(self, cumulative: list[int]) -> int:
        unit = self.range >> 24
        quantile = (self.point - self.lower) % 2**64 // unit
        require(quantile < 2**24, "invalid range coded stream")
        i = bisect_right(cumulative, quantile) - 1
        self.lower = (self.lower + unit * cumulative[i]) % 2**64
        self.range = unit * (cumulative[i + 1] - cumulative[i])
        if self.range < 2**32:
            self.range, self.lower = self.range << 32, (self.lower << 32) % 2**64
            self.point = (self.point << 32 | next(self.words)) % 2**64
        return i


class Alphabet:  # section 5.2, one alphabet of an adaptive model
    def __init__(self, weights: list[list[int]]):
        self.weights, self.coded = np.array(weights, dtype=np.int64), 0

    def cumulative(self, context: int) -> list[int]:
        w = self.weights[context]
        t = 1 + w * (2**24 - len(w)) // w.sum()
        t[t.argmax()] += 2**24 - t.sum()
        return [0, *np.cumsum(t).tolist()]

    def run(self, decoder: RangeDecoder, contexts: list[int]) -> Array:
        symbols = np.zeros(len(contexts), dtype=np.int64)
        at = 0 if self.weights.shape[1] > 1 else len(contexts)
        while at < len(contexts):
            size = min(len(contexts) - at, max(32, self.coded), 8192)
            batch = sorted(range(at, at + size), key=lambda i: contexts[i])  # stable
            for context, places in itertools.groupby(batch, key=lambda i: contexts[i]):
                table = self.cumulative(context)
                for i in places:
                    symbols[i] = decoder.symbol(table)
            for i in batch:
                self.weights[contexts[i], symbols[i]] += 64
            self.coded += size
            at += size
        return symbols


def breadth(scale: int) -> int:
    return (4 + scale % 4) << scale // 4


def scale_for(x: int) -> int:  # P(x)
    return max((c for c in range(64) if breadth(c) <= x), default=0)


class Model:  # section 5.2
    def __init__(self, limit: int, scales: list[int]):
        self.limit = limit
        self.shift = next(k for k in range(64) if (2 * limit >> k) + 2 <= 512)
        self.top = -(-limit >> self.shift)
        initial = {scale: self.initial_weights(scale) for scale in set(scales)}
        self.high = Alphabet([initial[scale] for scale in scales])
        self.low = Alphabet([[4] * 2**self.shift] * 3)

    def initial_weights(self, scale: int) -> list[int]:
        b = breadth(max(0, scale - 4 * self.shift))
        r = 65536 * b // (b + 8)
        g = [2**24]
        for _ in range(self.top):
            g.append(g[-1] * r // 65536)
        total = g[0] + 2 * sum(g[1:])
        return [2048 * g[abs(v)] // total + 4 for v in range(-self.top, self.top + 1)]

    def run(self, decoder: RangeDecoder, contexts: Array) -> Array:
        high = self.high.run(decoder, contexts.ravel().tolist()) - self.top
        low = self.low.run(decoder, np.select([high == 0, high == -1], [0, 1], 2).tolist())
        values = (high << self.shift) + low
        require(bool((abs(values) <= self.limit).all()), "value over its limit")
        return values


def read_weights(data: bytes, levels: list[Level], layout: dict[str, tuple[int, ...]]) -> dict[str, Array]:  # section 5
    reader, symbols = Reader(data), {}
    order = reader.u8()
    require(order in (1, 2), "unknown order")
    dense = {f"level{i}": level for i, level in enumerate(levels) if level.scale is None}
    limits = [reader.varint() for _ in range(max((level.shape[2] for level in dense.values()), default=0))]
    others = {name: (reader.varint(), reader.u8()) for name in layout if name not in dense}
    require(max([*limits, *(limit for limit, _ in others.values())]) <= 2**24, "limit too large")
    require(all(scale <= 63 for _, scale in others.values()), "scale too large")
    decoder = RangeDecoder(reader.data)
    models = [Model(limit, CLASS_SCALES if order == 1 else [scale_for(2 * limit)] * 16 ** min(f, 2))
              for f, limit in enumerate(limits)]  # fmt: skip
    coarser = None
    for name, level in dense.items():
        q = symbols[name] = np.zeros(level.shape, dtype=np.int64)
        for f in range(level.shape[2]):
            if order == 2:
                buckets = [(q[..., g] + limits[g]) * 16 // (2 * limits[g] + 1) for g in range(f)]
                contexts = 16 * buckets[f - 2] + buckets[f - 1] if f > 1 else buckets[0] if f else 0 * q[..., 0]
                q[..., f] = models[f].run(decoder, contexts).reshape(q.shape[:2])
                continue
            known = np.zeros(q.shape[:2], dtype=np.int64)
            base = base_context(q, f, coarser and (symbols[coarser], dense[coarser].s - level.s))
            for i, (y, x) in enumerate(RUNS):
                part = (slice(y, None, 2), slice(x, None, 2))
                contexts = (context_class(*base, abs(q[..., f]), known) + 16 * (i > 0))[part]
                q[..., f][part] = models[f].run(decoder, contexts).reshape(contexts.shape)
                known[part] = 1
        coarser = name
    for name, (limit, scale) in others.items():
        contexts = np.zeros(layout[name], dtype=np.int64)
        symbols[name] = Model(limit, [scale]).run(decoder, contexts).reshape(contexts.shape)
    return symbols


def base_context(q: Array, f: int, coarser: tuple[Array, int] | None) -> tuple[Array, Array]:
    """Section 5.3, order 1: sum and weight from the coarser level and the feature before."""
    rows, cols, _ = q.shape
    a, b = np.zeros((2, rows, cols), dtype=np.int64)
    if coarser is not None and coarser[0].shape[2] > f:
        table, d = coarser
        ys, xs = (np.minimum(np.arange(n) >> d, n2 - 1) for n, n2 in zip((rows, cols), table.shape, strict=False))
        a, b = a + 16 * abs(table[np.ix_(ys, xs)][..., f]), b + 16
    if f > 0:
        p = np.pad(abs(q[..., f - 1]), 1, mode="edge")
        cross = 4 * p[1:-1, 1:-1] + p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:]
        a, b = a + 3 * cross, b + 24
    return a, b


def context_class(a: Array, b: Array, magnitudes: Array, known: Array) -> Array:
    rows, cols = a.shape
    values, mask = np.pad(magnitudes * known, 1), np.pad(known, 1)
    for dy, dx in itertools.product((-1, 0, 1), repeat=2):
        g = (0, 16, 8)[abs(dy) + abs(dx)]
        window = (slice(1 + dy, 1 + dy + rows), slice(1 + dx, 1 + dx + cols))
        a, b = a + g * values[window], b + g * mask[window]
    return np.searchsorted(CLASSES, 16 * a // np.maximum(b, 1), side="right")


def rescale(z: Array, step: Step, shift: int) -> Array:  # section 4
    (m, e), top = step, int(abs(z).max())
    k = e + shift
    require(top * m < 2**52 and (k < 0 or top * m << k < 2**52), "numbers too large")
    if k >= 0:
        return z * m << k
    return (z * m + (1 << -k - 1)) >> -k if k >= -60 else np.zeros_like(z)


class Field:  # section 4
    def __init__(self, levels: list[Level], symbols: dict[str, Array], steps: dict[str, Step], h: int, w: int):
        self.levels, self.symbols, self.steps, self.h, self.w = levels, symbols, steps, h, w

    def affine(self, x: Array, weight: str, bias: str, unit_in: int, unit_out: int) -> Array:
        q = self.symbols[weight]
        bound = int(abs(q).sum(axis=1).max()) * int(abs(x).max())
        require(bound * self.steps[weight][0] < 2**52, "numbers too large")
        y = rescale(x @ q.T, self.steps[weight], unit_out - unit_in)
        if bias in self.symbols:
            y = y + rescale(self.symbols[bias], self.steps[bias], unit_out)
        require(int(abs(y).max()) < 2**52, "numbers too large")
        return y

    def evaluate(self) -> Array:
        """Return the outputs, (H W, C) in units of 2^-24."""
        return self.ngp() if self.levels else self.siren()

    def siren(self) -> Array:
        def axis(n: int) -> list[int]:
            return [((2 * i - n + 1 << 21) + n - 1) // (2 * n - 2) if n > 1 else 0 for i in range(n)]

        x = np.array([(cx, cy) for cy in axis(self.h) for cx in axis(self.w)])
        for i in itertools.count():
            if f"weight{i}" not in self.symbols:
                return self.affine(x, "weight_out", "bias_out", 15, 24)
            x = SINE[self.affine(x, f"weight{i}", f"bias{i}", 15 if i else 20, 16) % 65536]
        raise AssertionError

    def ngp(self) -> Array:
        x = encoding = np.concatenate([self.encode(i) for i in range(len(self.levels))], axis=1)
        if "weight_out" not in self.symbols:
            return self.affine(encoding, "skip", "bias_out", 16, 24)
        for i in itertools.count():
            if f"weight{i}" not in self.symbols:
                break
            x = np.maximum(0, self.affine(x, f"weight{i}", f"bias{i}", 16, 16))
        out = self.affine(x, "weight_out", "bias_out", 16, 24)
        return out + self.affine(encoding, "skip", "", 16, 24) if "skip" in self.symbols else out

    def encode(self, index: int) -> Array:
        """Return the features of one level, (H W, F) in units of 2^-16."""
        level, table = self.levels[index], self.symbols[f"level{index}"]
        b = level.s + 1 if level.scale is None else 12
        positions = []
        for n in (self.h, self.w):
            j = range(n)
            if level.scale is None:
                positions.append(np.array([2 * i + 1 - 2**level.s for i in j]))
            else:
                positions.append(np.array([math.floor(level.scale * (2 * i + 1) * 2**12 / (2 * n)) + 2**11 for i in j]))
        total: Array | int = 0
        for dy, dx in itertools.product((0, 1), repeat=2):
            (y, wy), (x, wx) = (self.corner(p, b, d) for p, d in zip(positions, (dy, dx), strict=True))
            y, wy = y[:, None], wy[:, None]
            if level.scale is None:
                rows, cols, _ = level.shape
                entries = table[y.clip(0, rows - 1), x.clip(0, cols - 1)]
            else:
                size, r = level.shape[0], math.ceil(level.scale) + 1
                entries = table[(x + y * r if r * r <= size else x ^ y * 2654435761 % 2**32) % size]
            total = total + entries * (wy * wx)[..., None]
        return rescale(np.asarray(total), self.steps[f"level{index}"], 16 - 2 * b).reshape(self.h * self.w, -1)

    @staticmethod
    def corner(p: Array, b: int, high: int) -> tuple[Array, Array]:
        """Return the entries and the weights of the lower or the higher corner."""
        lo = p >> b
        f = p - (lo << b)
        return lo + high, f if high else 2**b - f


def decode_plane(decoder: RangeDecoder, h: int, w: int, depth: int) -> Array:  # section 7
    model = Model(2**depth - 1, [scale_for(2 ** (c + 1)) for c in range(depth + 1)])
    plane = np.zeros((h, w), dtype=np.int64)
    plane[0, 0] = model.run(decoder, np.array([depth]))[0] + 2 ** (depth - 1)
    s = 1
    while 2 * s < max(h, w):
        s *= 2
    diagonal, direct = [(-1, -1), (-1, 1), (1, -1), (1, 1)], [(-1, 0), (1, 0), (0, -1), (0, 1)]
    while s:
        for first_row, first_col, offsets in ((s, s, diagonal), (0, s, direct), (s, 0, direct)):
            places = list(itertools.product(range(first_row, h, 2 * s), range(first_col, w, 2 * s)))
            predictions, contexts = [], []
            for y, x in places:
                near = [(y + s * dy, x + s * dx) for dy, dx in offsets]
                values = [int(plane[p]) for p in near if 0 <= p[0] < h and 0 <= p[1] < w]
                predictions.append((sum(values) + len(values) // 2) // len(values))
                contexts.append(min(depth, (max(values) - min(values)).bit_length()))
            for place, prediction, value in zip(places, predictions, model.run(decoder, np.array(contexts)), strict=True):
                plane[place] = prediction + value
        require(bool(((plane >= 0) & (plane < 2**depth)).all()), "sample out of range")
        s //= 2
    require(0 <= plane[0, 0] < 2**depth, "sample out of range")
    return plane


def read_chain(data: bytes, channels: int) -> list[tuple[int, tuple[int, ...]]]:  # section 6
    parameters = {1: "BQ", 2: "", 16: "", 17: "II" * channels, 18: "i", 19: "i", 20: "i"}
    bounds = {18: (1000, 10**9), 19: (1000, 10**9), 20: (50000, 2 * 10**7)}
    reader, chain = Reader(data), []
    count = reader.u8()
    require(count <= 8, "chain too long")
    for _ in range(count):
        kind = reader.u8()
        require(kind in parameters, "unknown transform")
        values = reader.unpack(parameters[kind])
        low, high = bounds.get(kind, (0, 2**64))
        require(all(low <= v <= high for v in values), "transform parameter out of range")
        require(kind != 1 or values[0] == 1, "unknown rpp algorithm")
        require(kind != 17 or min(values[1::2]) >= 1, "sigma is 0")
        chain.append((kind, values))
    reader.end()
    return chain


def zigzag_path(h: int, w: int) -> list[int]:
    def key(pixel: int) -> tuple[int, int]:
        row, col = divmod(pixel, w)
        return row + col, row if (row + col) % 2 else -row

    return sorted(range(h * w), key=key)


def make_threshold(chain: list[tuple[int, tuple[int, ...]]], channel: int, peak: int) -> Callable[[int], int]:
    """Section 6, value maps: return the function k -> threshold_k."""
    sign = -1 if sum(kind == 16 for kind, _ in chain) % 2 else 1

    def clamp(z: Decimal) -> Decimal:
        big = Decimal(10) ** 100
        return Decimal(0) if abs(z) < 1 / big else max(-big, min(big, z))

    def apply(z: Decimal, kind: int, values: tuple[int, ...]) -> Decimal:
        p = [Decimal(v) / 10**6 for v in values]
        if kind == 16:
            return 1 - z
        if kind == 17:
            return (z - p[2 * channel]) / p[2 * channel + 1]
        if kind == 18:
            return p[0] * z
        if kind == 19:
            return p[0] * (z - Decimal("0.5"))
        return (abs(z) ** (1 / p[0])).copy_sign(z) if z else z

    @lru_cache(maxsize=None)
    def threshold(k: int) -> int:
        with localcontext(Context(prec=50)):
            z = clamp(Decimal(2 * k - 1) / (2 * peak))
            for kind, values in chain:
                z = clamp(apply(z, kind, values)) if kind >= 16 else z
            exact = 2**24 * sign * z - Decimal(10) ** -20
            return int(max(Decimal(-(2**40)), min(Decimal(2**40), exact)).to_integral_value(ROUND_CEILING))

    return lambda k: threshold(k)


def read_metadata(frame: bytes) -> bytes:  # section 8
    try:
        parameters = zstandard.get_frame_parameters(frame)
        stated = parameters.content_size not in (0, zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR)
        require(frame[:4] == b"\x28\xb5\x2f\xfd" and stated, "metadata states no content size")
        require(parameters.has_checksum and not parameters.dict_id, "metadata without checksum or with dictionary")
        decompressor = zstandard.ZstdDecompressor().decompressobj()
        content = decompressor.decompress(frame)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    require(decompressor.eof and not decompressor.unused_data, "metadata is not one frame")
    return content


def decode(data: bytes) -> tuple[Array, Array | None, dict[str, bytes]]:
    """Return samples (H, W, C), alpha (H, W) or None, and the metadata present among icc, exif and xmp."""
    chunks = read_chunks(data)
    head = Reader(chunks[b"HEAD"])  # section 2
    *_, mode, _, _, digest = head.unpack("3BBHH8s")
    channels, depth, has_alpha = mode & 3, 16 if mode & 4 else 8, bool(mode & 8)
    require(channels in (1, 3) and mode < 16, "bad mode")
    w, h, field_id = head.varint(), head.varint(), head.u8()
    require(w > 0 and h > 0, "no pixels")
    levels, layout = read_field(field_id, head.take(head.varint()), h, w, channels)
    chain = read_chain(head.take(head.varint()), channels)
    steps = {name: head.unpack("Bb") for name in layout}
    head.end()
    require(all(mantissa >= 128 for mantissa, _ in steps.values()), "bad step")
    require((b"PLAN" in chunks) == any(kind == 2 for kind, _ in chain), "PLAN does not fit the chain")
    require((b"ALPH" in chunks) == has_alpha, "ALPH does not fit the mode")

    outputs = Field(levels, read_weights(chunks[b"WGHT"], levels, layout), steps, h, w).evaluate()
    order, planes = np.arange(h * w), RangeDecoder(chunks.get(b"PLAN", b""))
    for kind, values in chain:
        if kind == 1:
            keys = np.random.Philox(key=values[1], counter=0).random_raw(h * w)
            order = order[np.argsort(keys, kind="stable")]
        elif kind == 2:
            own = np.empty(h * w, dtype=np.int64)
            own[zigzag_path(h, w)] = np.argsort(decode_plane(planes, h, w, depth).ravel(), kind="stable")
            order = order[own]

    dtype = np.uint16 if depth == 16 else np.uint8
    samples, peak = np.zeros((h * w, channels), dtype=dtype), 2**depth - 1
    sign = -1 if sum(kind == 16 for kind, _ in chain) % 2 else 1
    for c in range(channels):
        threshold = make_threshold(chain, c, peak)
        samples[order, c] = [bisect_right(range(1, peak + 1), sign * int(o), key=threshold) for o in outputs[:, c]]
    samples = samples.reshape(h, w, channels)
    alpha = decode_plane(RangeDecoder(chunks[b"ALPH"]), h, w, depth).astype(dtype) if has_alpha else None
    raw = b"".join(a.astype(a.dtype.newbyteorder("<")).tobytes() for a in (samples, alpha) if a is not None)
    require(hashlib.sha256(raw).digest()[:8] == digest, "digest mismatch")
    names = {"icc": b"iccp", "exif": b"exif", "xmp": b"xmpm"}
    return samples, alpha, {name: read_metadata(chunks[kind]) for name, kind in names.items() if kind in chunks}


def as_array(samples: Array, alpha: Array | None) -> Array:
    """Return one array: (H, W) for plain gray, else (H, W, C) with alpha as the last channel."""
    full = samples if alpha is None else np.dstack([samples, alpha])
    return full[..., 0] if full.shape[2] == 1 else full


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        np.save(sys.argv[2], as_array(*decode(file.read())[:2]))
