"""Which families try a picture, and whose file is taken; there is one entrant where a field is named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nfcodec.codec.report import Encoded
from nfcodec.errors import EngineError
from nfcodec.exact.field import Field
from nfcodec.fields import registry
from nfcodec.fitting.engines import check_installed
from nfcodec.fitting.family import Family, Plan
from nfcodec.fitting.goals import Goal, Size
from nfcodec.fitting.picture import Picture


@dataclass(frozen=True)
class Entrant:
    """A family that is to fit the picture, and the field, or what is to be said of it, if the user gave that."""

    family: Family
    given: object | None = None


def entrants(field: str | Field, picture: Picture, engine: str, device: str) -> list[Entrant]:
    """Who fits the picture: the family of a name or of a field, or for "auto" those that suit the picture.

    Where none of these can be fitted by the engine asked for, "auto" takes those that stand in for others. Behind them
    come those whose files are never much larger than the samples.

    Raises:
        UsageError: an unknown name or field.
        EngineError: the engine asked for cannot fit it, or is not installed.
    """
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
    suitable = [each for each in able if each.suits(picture)] or [each for each in able if each.stands_in]
    if not suitable and able:
        check_installed(engine, device)
        found = ", ".join(each.name for each in able)
        raise EngineError(f"the engine {engine!r} on the device {device!r} can fit no field of auto, only: {found}")
    if not suitable:
        raise EngineError(f"no field can be fitted by the engine {engine!r} on the device {device!r}")
    return [Entrant(each) for each in (*suitable, *bounding)]


def best_of(files: Sequence[Encoded], goal: Goal) -> Encoded:
    """Of the files that reach the goal the smallest, or the best where a size is asked for.

    The one that comes closest if none does.
    """
    reaching = [each for each in files if each.report["reached"]]
    of_quality = bool(reaching) if isinstance(goal, Size) else not reaching
    if of_quality:
        return max(reaching or files, key=lambda each: (each.psnr_db, -len(each.data)))
    return min(reaching or files, key=lambda each: len(each.data))


def may_win(estimated_bytes: float | None, files: Sequence[Encoded], goal: Goal) -> bool:
    """Whether a file of about so many bytes, if that is known, could be taken instead of those that are there."""
    if estimated_bytes is None or not any(each.report["reached"] for each in files):
        return True
    return estimated_bytes <= (goal.n_bytes if isinstance(goal, Size) else len(best_of(files, goal).data))


def best_of_plans(plans: Sequence[Plan], seconds_left: float) -> Plan:
    """Of the plans for which there is time the one that promises the smallest file, by its bytes, then by its effort.

    The quickest if there is time for none.
    """
    in_time = [each for each in plans if each.seconds <= seconds_left]
    if not in_time:
        return min(plans, key=lambda each: each.seconds)
    return min(in_time, key=lambda each: (math.inf if each.n_bytes is None else each.n_bytes, -each.effort))
