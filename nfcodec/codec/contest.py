"""Which families try a picture, and whose file is taken; there is one entrant where a field is named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nfcodec.codec.report import Encoded
from nfcodec.codec.size_search import DB_PER_DOUBLING
from nfcodec.errors import EngineError
from nfcodec.exact.field import Field
from nfcodec.fields import registry
from nfcodec.fitting.engines import check_installed
from nfcodec.fitting.family import Family, Plan
from nfcodec.fitting.goals import Goal, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request


@dataclass(frozen=True)
class Entrant:
    """A family that is to fit the picture.

    Attributes:
        given: the field, or what is to be said of it, if the user gave that.
        least_effort: at which the family suits the picture; where there is no time for it, others had better try alone.
    """

    family: Family
    given: object | None = None
    least_effort: int = 1


def entrants(field: str | Field, picture: Picture, request: Request) -> list[Entrant]:
    """Who fits the picture: the family of a name or of a field, or for "auto" those that suit the picture.

    Where none of these can be fitted by the engine asked for, "auto" takes those that stand in for others. Behind them
    come those whose files are never much larger than the samples.

    Raises:
        UsageError: an unknown name or field.
        EngineError: the engine asked for cannot fit it, or is not installed.
    """
    engine, device = request.engine, request.device
    if isinstance(field, Field) or field != "auto":
        if isinstance(field, Field):
            chosen, given = registry.family(registry.family_name(field)), field
        else:
            chosen, given = registry.asked_for(field)
        refusal = chosen.refuses(picture, engine, device, given)
        if refusal is not None:
            raise EngineError(refusal)
        return [Entrant(chosen, given)]
    families = [registry.family(name) for name in registry.FAMILIES]
    bounding = [each for each in families if each.bounds_size]
    able = [each for each in families if each not in bounding and each.refuses(picture, engine, device) is None]
    suitable = [
        Entrant(each, least_effort=_least_effort(each, picture, request))
        for each in able
        if each.suits(picture, request)
    ] or [Entrant(each) for each in able if each.stands_in]
    if not suitable and able:
        check_installed(engine, device)
        found = ", ".join(each.name for each in able)
        raise EngineError(f"the engine {engine!r} on the device {device!r} can fit no field of auto, only: {found}")
    if not suitable:
        raise EngineError(f"no field can be fitted by the engine {engine!r} on the device {device!r}")
    return [*suitable, *map(Entrant, bounding)]


def _least_effort(family: Family, picture: Picture, request: Request) -> int:
    """The least effort up to the request's at which a family suits a picture."""
    efforts = range(1, request.effort + 1)
    return next(effort for effort in efforts if family.suits(picture, replace(request, effort=effort)))


def best_of(files: Sequence[Encoded], goal: Goal) -> Encoded:
    """Of the files that reach the goal the smallest, or the best where a size is asked for.

    The one that comes closest if none does.
    """
    reaching = [each for each in files if each.report["reached"]]
    of_quality = bool(reaching) if isinstance(goal, Size) else not reaching
    if of_quality:
        return max(reaching or files, key=lambda each: (each.psnr_db, -len(each.data)))
    return min(reaching or files, key=lambda each: len(each.data))


def may_win(least_bytes: float | None, files: Sequence[Encoded], goal: Goal) -> bool:
    """Whether a file of at least so many bytes, if that is known, could be taken instead of those that are there."""
    if not any(each.report["reached"] for each in files):
        return True
    best = best_of(files, goal)
    if least_bytes is None:
        return not (isinstance(goal, Size) and math.isinf(best.psnr_db))  # there is nothing better than no loss
    return least_bytes <= (goal.n_bytes if isinstance(goal, Size) else len(best.data))


def may_win_with_more(quick: Encoded, saves: float, files: Sequence[Encoded], goal: Goal) -> bool:
    """Whether a family could make the file to be taken with all of its effort, going by a quick one among the files.

    Args:
        saves: the share of the quick file's bytes that effort saves, at most.
    """
    best = best_of(files, goal)
    if best is quick or not best.report["reached"]:
        return True
    if not quick.report["reached"]:
        return False
    if isinstance(goal, Size):
        return quick.psnr_db - DB_PER_DOUBLING * math.log2(1 - saves) > best.psnr_db
    return len(quick.data) * (1 - saves) < len(best.data)


def best_of_plans(plans: Sequence[Plan], seconds_left: float) -> Plan:
    """Of the plans for which there is time the one that promises the smallest file, by its bytes, then by its effort.

    The quickest if there is time for none.
    """
    in_time = [each for each in plans if each.seconds <= seconds_left]
    if not in_time:
        return min(plans, key=lambda each: each.seconds)
    return min(in_time, key=lambda each: (math.inf if each.n_bytes is None else each.n_bytes, -each.effort))
