"""A picture as the fitting problem that the codec makes of it, and where fits of it begin."""

from __future__ import annotations

from nfcodec.fields import Field, Geometry, Parameters, Siren, estimator, family
from nfcodec.fields.siren import initial
from nfcodec.fitting import TABLE_BOUND, Context, Picture, Problem, Request, Solution, uniform_start
from nfcodec.raster import Raster, Samples
from nfcodec.transforms import Chain, parse_chain


def picture(samples: Samples, transform: str = "none") -> Picture:
    """Samples (H, W, C) at 8 bits, transformed by a chain as the command line has it."""
    return Picture.of(Raster(samples), Chain.prepare(parse_chain(transform), samples, 0))


def problem(samples: Samples, field: Field, transform: str = "none") -> Problem:
    """To fit a field to such a picture."""
    return Problem.of(picture(samples, transform), field)


def random_weights(field: Field, geometry: Geometry, seed: int, table_bound: float = TABLE_BOUND) -> Parameters:
    """Where the papers' fits of a SIREN and of Instant-NGP begin, the latter's entries within a bound."""
    if isinstance(field, Siren):
        return initial(field, geometry, seed)
    return uniform_start(field.layout(geometry), seed, table_bound)


def solved(picture: Picture, family_name: str, request: Request, field: Field | None = None) -> Solution:
    """What a family makes of a picture, with a field given or one that it chooses."""
    session = family(family_name).begin(picture, Context(estimator()), field)
    plan = next(each for each in session.plans(request) if each.effort == request.effort)
    return session.fit(plan, request)
