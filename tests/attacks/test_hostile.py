"""Forged files with valid CRCs end in one clear NfcError, within 1 s and 200 MB."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import forge
import pytest

import nfcodec
from nfcodec.errors import NfcError

pytest.importorskip("resource", reason="needs a system that limits and measures memory")

SECONDS, GROWN_BYTES = 1.0, 200 << 20
HOSTILE = forge.hostile()
EXPECTED = {
    name: code
    for code, names in json.loads(Path(__file__).with_name("codes.json").read_text()).items()
    for name in names
}
"""Which guard refuses each file: `python tests/attacks/workshop.py codes` records it."""
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


def run_workshop(what: str) -> dict[str, dict]:
    script = Path(__file__).with_name("workshop.py")
    command = [sys.executable, str(script), what]
    result = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr.decode()[-2000:]
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def outcomes():
    return run_workshop("hostile")


def assert_cheap(outcome: dict) -> None:
    assert outcome["seconds"] < SECONDS
    assert outcome["grown"] < GROWN_BYTES


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file(outcomes, name):
    outcome, expected = outcomes[name], getattr(nfcodec.errors, HOSTILE[name][1])
    assert outcome["code"] in nfcodec.errors.CODES, outcome
    assert issubclass(getattr(nfcodec.errors, outcome["error"]), expected), outcome
    assert outcome["code"] == EXPECTED[name], outcome
    assert outcome["message"].isprintable()
    assert 10 < len(outcome["message"]) < 160
    assert_cheap(outcome)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_file_through_pillow(outcomes, name):
    """It is refused by the same guard, or before that, as Pillow knows no 16 bits of colour."""
    outcome = outcomes[name]["pillow"]
    assert_cheap(outcome)
    if EXPECTED[name] == "format.signature":
        assert outcome["error"] == "UnidentifiedImageError"
    else:
        assert outcome["error"] == "PillowError", outcome
        assert outcome["code"] == EXPECTED[name] or "16-bit" in outcome["message"], outcome


def test_mutations():
    outcomes = run_workshop("mutations")
    assert len(outcomes) == 250
    for name, outcome in outcomes.items():
        assert outcome["error"] is None or outcome["code"] in nfcodec.errors.CODES, (name, outcome)
        assert_cheap(outcome)
    assert sum(outcome["error"] is not None for outcome in outcomes.values()) > 200


@pytest.mark.parametrize("kind", [b"junk", b"zzzz"])
def test_unknown_chunks_that_may_be_skipped(kind):
    chunks = list(forge.read_chunks(forge.golden(forge.PYRAMID)).items())
    expected = nfcodec.decode_array(forge.golden(forge.PYRAMID))
    for at in range(3):
        data = forge.container([*chunks[:at], (kind, b"?"), *chunks[at:]])
        assert (nfcodec.decode_array(data) == expected).all()


def test_any_minor_version_will_do():
    expected = nfcodec.decode_array(forge.golden(forge.PYRAMID))
    data = forge.with_header(forge.golden(forge.PYRAMID), minor=200)
    assert (nfcodec.decode_array(data) == expected).all()
    assert nfcodec.inspect(data).format_version == "1.200"


def test_forging_alone_changes_nothing():
    """The helpers make valid files when there is nothing hostile to do: what is refused is refused for its content."""
    for name in forge.ALL:
        data = forge.golden(name)
        chunks = forge.read_chunks(data)
        assert forge.with_header(data) == data
        assert forge.container(chunks.items()) == data
        assert forge.with_chunk(data, b"WGHT", chunks[b"WGHT"]) == data
        assert (
            forge.with_steps(data, b"".join(bytes([s.mantissa, s.exponent % 256]) for s in forge.header_of(data).steps))
            == data
        )


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"max_dimension": 19}, "siren-gray"),
        ({"max_pixels": 479}, "siren-gray"),
        *[({"max_memory_bytes": 1e6}, name) for name in forge.ALL],
        *[({"max_work": 1e-3}, name) for name in forge.ALL],
        ({"max_header_bytes": 20}, "siren-gray"),
        ({"max_file_bytes": 100}, "siren-gray"),
        ({"max_metadata_bytes": 100}, "wavelet-metadata"),
    ],
    ids=str,
)
def test_limits_of_your_own(limits, name):
    with pytest.raises(nfcodec.errors.LimitError) as refusal:
        nfcodec.codec.decode(forge.golden(name), nfcodec.limits.Limits(**limits))
    assert refusal.value.code == "limit." + next(iter(limits)).removeprefix("max_")


def test_too_little_memory_is_a_limit(monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr("nfcodec.codec.decoder.decode_payload", fail)
    for read in (nfcodec.codec.decode, nfcodec.codec.verify):
        with pytest.raises(nfcodec.errors.LimitError, match="memory") as refusal:
            read(forge.golden(forge.PYRAMID))
        assert refusal.value.code == "limit.exhausted"


def test_wide_layers_are_evaluated_in_blocks_exactly(monkeypatch):
    for name in forge.ALL:
        expected = nfcodec.decode_array(forge.golden(name))
        monkeypatch.setattr("nfcodec.exact.arithmetic._BLOCK_VALUES", 500)
        assert (nfcodec.decode_array(forge.golden(name)) == expected).all()
        monkeypatch.undo()


def test_errors_are_nfc_errors():
    assert all(issubclass(getattr(nfcodec.errors, error), NfcError) for _, error in HOSTILE.values())
