from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nfcodec.errors import EngineError, UsageError
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.table.family import TableFamily
from nfcodec.fields.table.field import Pyramid, Table
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain

REQUEST = Request(Psnr(36.0), 3, 0)


def picture(transform: str, height: int = 40, width: int = 36) -> Picture:
    y, x = np.mgrid[:height, :width]
    samples = (128 + 60 * np.sin(x / 5)[..., None] * np.cos(y / 7)[..., None] + [[[0, 9, 20]]]).astype(np.uint8)
    return Picture.of(Raster(samples), Chain.prepare(parse_chain(transform), samples, 0))


def session(given=None, transform: str = "rpp"):
    return TableFamily().begin(picture(transform), Context(lambda *_: None), given)


def test_a_pyramid_and_a_table_are_promised():
    plans = session().plans(REQUEST)
    assert [(plan.field, plan.effort) for plan in plans] == [
        (field, effort) for field in (Pyramid(5), Table()) for effort in (1, 2, 3)
    ]
    assert plans[0].n_bytes > plans[-1].n_bytes  # pixels without order
    ordered = session(transform="none").plans(REQUEST)
    assert ordered[0].n_bytes < ordered[-1].n_bytes


def test_pyramids_that_no_engine_fits_are_left_out(monkeypatch):
    """And missed where the engine was asked for."""

    def nowhere(*_):
        raise EngineError("no kernels")

    monkeypatch.setattr("nfcodec.fields.table.cost.engine_of_part", nowhere)
    monkeypatch.setattr("nfcodec.fields.table.family.load_engine", nowhere)
    events, large = [], TableFamily().begin(picture("none", 70, 64), Context(lambda *_: None))
    request = Request(Psnr(36.0), 1, 0, listen=events.append)
    large.get_ready(request)
    assert [plan.field for plan in large.plans(request)] == [Table()]
    assert [event.message for event in events] == ["pyramids cannot be fitted: no kernels"]
    with pytest.raises(EngineError, match="no kernels"):
        large.plans(replace(request, engine="numba"))
    given = TableFamily().begin(picture("none", 70, 64), Context(lambda *_: None), Pyramid(1, 4))
    with pytest.raises(EngineError, match="no kernels"):
        given.plans(request)


def test_what_is_promised_is_judged_by_a_part(monkeypatch):
    whole = [plan.n_bytes for plan in session().plans(REQUEST)]
    monkeypatch.setattr("nfcodec.fields.table.family.PROMISING_PIXELS", 800)
    assert [plan.n_bytes for plan in session().plans(REQUEST)] == pytest.approx(whole, rel=0.2)


def test_a_given_field_is_the_one_planned():
    plans = session(Pyramid(1, 4)).plans(REQUEST)
    assert {(plan.field, plan.n_bytes) for plan in plans} == {(Pyramid(1, 4), None)}
    with pytest.raises(UsageError, match="table"):
        session(Siren(8))


@pytest.mark.parametrize(("engine", "device", "taken"), [("auto", "cpu", True), ("tinycudann", "auto", False)])
def test_where_no_engine_has_pyramids(engine, device, taken):
    family = TableFamily()
    assert (family.refuses(picture("none"), engine, device) is None) == taken
    assert family.refuses(picture("rpp"), engine, device) is None
    large = TableFamily().begin(picture("rpp", 70, 64), Context(lambda *_: None))
    fields = [plan.field for plan in large.plans(Request(Psnr(36.0), 1, 0, engine=engine, device=device))]
    assert fields == ([Pyramid(5, 16), Table()] if taken else [Table()])


def test_the_lossless_policy_follows_the_depth():
    eight, sixteen = (TableFamily().lossless(depth) for depth in (8, 16))
    assert 49 < eight.fit_db < 51
    assert eight.fit_db < eight.from_db < 60
    assert (sixteen.fit_db, sixteen.from_db) == (90.0, 94.0)
