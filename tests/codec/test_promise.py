"""Small pictures of any kind, encoded with any options: the file keeps its promise, and every reader says the same.

`NFCODEC_EXAMPLES=1000 python -m pytest tests/codec/test_promise.py` tries that many, other ones each time; `make fuzz`
does so, too.
"""

from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nfcodec
from nfcodec import codec
from nfcodec.errors import LimitError, TargetNotReachedError
from nfcodec.limits import Limits
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster

ASKED = os.environ.get("NFCODEC_EXAMPLES")
N_EXAMPLES = int(ASKED or 50)
CONFORMANCE = Path(__file__).parents[1] / "conformance" / "decoder.py"

TRANSFORMS = ("none", "rpp", "zigzag", "inversion", "standardize", "gamma:2.2", "sympower", "center:1", "scale:0.5")
METADATA = {"icc": b"profile", "exif": b"MM\0*\0\0\0\x08\0\0", "xmp": b"<x:xmpmeta/>"}
BOUNDS = {
    "dimension": st.integers(1, 30), "pixels": st.integers(1, 700), "memory_bytes": st.integers(1, 10**7),
    "work": st.floats(0, 0.1), "header_bytes": st.integers(1, 80), "metadata_bytes": st.integers(1, 20),
    "file_bytes": st.integers(1, 2000),
}  # fmt: skip


@st.composite
def pictures(draw: st.DrawFn) -> Raster:
    """Constant pictures, noise, gradients and few values, of any shape and depth."""
    height, width = draw(st.sampled_from([(1, 1), (1, 17), (13, 1), (3, 24), (9, 8), (16, 16), (24, 21)]))
    channels, depth = draw(st.integers(1, 4)), draw(st.sampled_from([8, 8, 16]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    peak, shape = (1 << depth) - 1, (height, width, channels)
    kind = draw(st.sampled_from(["constant", "noise", "gradient", "few values", "extremes"]))
    y, x = np.mgrid[:height, :width]
    samples = {
        "constant": lambda: np.full(shape, rng.integers(0, peak + 1)),
        "noise": lambda: rng.integers(0, peak + 1, shape),
        "gradient": lambda: (x + 2 * y)[:, :, None] / (x + 2 * y + 1).max() * peak * (1 - 0.2 * np.arange(channels)),
        "few values": lambda: rng.choice(rng.integers(0, peak + 1, 3), shape),
        "extremes": lambda: rng.choice([0, peak], shape),
    }[kind]()
    plain = Raster.from_array(samples.astype(np.uint8 if depth == 8 else np.uint16))
    metadata = {key: METADATA[key] for key in draw(st.sets(st.sampled_from(sorted(METADATA)), max_size=2))}
    return Raster(plain.samples, plain.alpha, metadata)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """A goal, a field, a chain, and what little the rest depends on."""
    goal = draw(
        st.one_of(
            st.builds(lambda value: {"psnr": value}, st.floats(15, 80)),
            st.builds(lambda value: {"size": value}, st.integers(100, 1500)),
            st.builds(lambda value: {"bpp": value}, st.floats(1, 30)),
            st.just({"lossless": True}),
        )
    )
    chain = "+".join(draw(st.lists(st.sampled_from(TRANSFORMS), min_size=1, max_size=3)))
    field = draw(st.sampled_from(["auto", "auto", "wavelet", "table", "siren", "ngp", "grid"]))
    return {
        **goal, "field": field, "transform": chain, "seed": draw(st.sampled_from([0, 1, 2**64 - 1])),
        "effort": draw(st.sampled_from([1, 1, 2])), "max_steps": draw(st.sampled_from([1, 30])),
    }  # fmt: skip


@pytest.fixture(scope="module")
def independent():
    """The decoder that was written from the description of the format alone."""
    spec = importlib.util.spec_from_file_location("independent_decoder", CONFORMANCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def encoded(raster: Raster, wishes: dict[str, Any]) -> codec.Encoded | None:
    """An encode; None where the fit, of so few steps, ended below the target, or the chain asks for too fine tables."""
    try:
        return nfcodec.encode_with_report(raster, **wishes)
    except TargetNotReachedError as error:
        reached = error.psnr_db
    except LimitError as error:
        if error.code != "limit.precision":
            raise
        return None
    assert "lossless" not in wishes
    assert "psnr" not in wishes or reached < wishes["psnr"]
    return None


def assert_promise(raster: Raster, wishes: dict[str, Any], data: bytes, decoded: Raster) -> None:
    if "psnr" in wishes:
        assert psnr_db(raster.samples, decoded.samples, raster.peak) >= wishes["psnr"]
    if "lossless" in wishes:
        assert np.array_equal(decoded.samples, raster.samples)
    if "size" in wishes:
        assert len(data) <= wishes["size"]
    if "bpp" in wishes:
        assert 8 * len(data) <= math.ceil(wishes["bpp"] * raster.n_pixels)
    assert (decoded.alpha is None) == (raster.alpha is None)
    assert decoded.alpha is None or np.array_equal(decoded.alpha, raster.alpha)
    assert decoded.metadata == raster.metadata


def assert_refused_or_the_same(data: bytes, expected: Raster, name: str, bound: int) -> None:
    try:
        found = codec.decode(data, Limits(**{f"max_{name}": bound}))
    except LimitError as error:
        code = error.code
    else:
        code = "read" if found.digest() == expected.digest() else "other pixels"
    assert code in ("read", f"limit.{name}")


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")  # wavelets try steps of 2^129
@settings(max_examples=N_EXAMPLES, deadline=None, derandomize=ASKED is None, suppress_health_check=list(HealthCheck))
@given(raster=pictures(), wishes=options(), bounds=st.fixed_dictionaries(BOUNDS))
def test_promise_digest_both_decoders_and_limits(independent, raster, wishes, bounds):
    result = encoded(raster, wishes)
    if result is None:
        return
    data = result.data
    decoded, info = codec.decode(data), nfcodec.inspect(data)
    assert_promise(raster, wishes, data, decoded)
    assert decoded.digest().hex() == info.digest == codec.verify(data).digest
    assert info.bytes == len(data)
    samples, alpha, metadata = independent.decode(data)
    assert np.array_equal(samples, decoded.samples)
    assert (alpha is None) == (decoded.alpha is None)
    assert alpha is None or np.array_equal(alpha, decoded.alpha)
    assert metadata == decoded.metadata
    for name, bound in bounds.items():
        assert_refused_or_the_same(data, decoded, name, bound)
    for name, value in {"pixels": raster.n_pixels, "file_bytes": len(data)}.items():
        assert codec.decode(data, Limits(**{f"max_{name}": value})).digest() == decoded.digest()
        with pytest.raises(LimitError) as refusal:
            codec.decode(data, Limits(**{f"max_{name}": value - 1}))
        assert refusal.value.code == f"limit.{name}"
