"""What decoding a file is said to take is a bound on what it takes, and is held against limits before it is paid."""

from __future__ import annotations

import bombs
import forge
import pytest

from nfcodec.codec import View, decode, inspect
from nfcodec.errors import LimitError
from nfcodec.fields import Grid, Pyramid, Table, Wavelet
from nfcodec.limits import Limits

SMALL_FILES = [name for name, make in bombs.BOMBS.items() if name not in bombs.OF_NOISE]


@pytest.mark.parametrize("name", SMALL_FILES)
def test_limits_refuse_before_anything_is_decoded(name, monkeypatch):
    data = bombs.BOMBS[name]()
    info = inspect(data, Limits(**bombs.UNLIMITED))
    monkeypatch.setattr("nfcodec.codec.decoder.decode_payload", pytest.fail)
    for tight in ({"max_memory_bytes": 0.99 * info.memory_bytes}, {"max_work": 0.99 * info.work}):
        for read in (decode, inspect):
            with pytest.raises(LimitError, match="is over the limit"):
                read(data, Limits(**bombs.UNLIMITED | tight))


def test_more_pixels_take_more():
    costs = [inspect(bombs.tiny(side), Limits(**bombs.UNLIMITED)) for side in (2000, 6000, 9000)]
    assert costs[0].work < costs[1].work < costs[2].work
    assert costs[0].memory_bytes < costs[1].memory_bytes < costs[2].memory_bytes


@pytest.mark.parametrize("field", [Wavelet(7, 128), Table(), Pyramid(3), Grid()], ids=repr)
def test_the_largest_picture_is_within_all_limits(field):
    """As its encoder would make it, of colours of 8 bits; what limits on memory refuse are other fields than these."""
    data = forge.build(field, 10_922, 8_192, channels=3, limit=255)
    assert inspect(data).width * inspect(data).height > 0.9999 * Limits().max_pixels
    for view in (View(None, 2), View(None, 128), View((5000, 4000, 640, 480))):
        assert inspect(data, view=view).work <= 1.1 * inspect(data).work


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    if not bombs.CLEAR_REFS.exists():
        pytest.skip("needs a system that tells the peak of memory, and lets it begin anew")
    folder = tmp_path_factory.mktemp("bombs")
    return {name: bombs.measured_apart(make(), folder) for name, make in bombs.BOMBS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", bombs.BOMBS)
def test_the_memory_that_is_said_is_a_bound_and_close(outcomes, name):
    """CPU seconds vary by half on machines that others share; `python -m tests.attacks.bombs` compares them."""
    found = outcomes[name]
    assert bombs.verdict(name, found) == "", found


@pytest.mark.slow
@pytest.mark.parametrize("name", bombs.BOMBS)
def test_a_refusal_takes_next_to_nothing(outcomes, name):
    """But for the file and its chunks, which are there by then."""
    refusal, n_bytes = outcomes[name]["refusal"], outcomes[name]["bytes"]
    assert refusal["outcome"].startswith("LimitError"), refusal
    assert refusal["memory"] <= 2 * n_bytes + (16 << 20), refusal
