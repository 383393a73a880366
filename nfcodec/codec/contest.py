"""Which families try a picture, and whose file is taken; there is one entrant where a field is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nfcodec.codec.report import Encoded
from nfcodec.errors import EngineError
from nfcodec.exact.field import Field
from nfcodec.fields import registry
from nfcodec.fitting.family import Family
from nfcodec.fitting.goals import Goal, Size
from nfcodec.fitting.picture import Picture


@dataclass(frozen=True)
class Entrant:
    """A family that is to fit the picture, and the field if the user gave one."""

    family: Family
    given: Field | None = None


def entrants(field: str | Field, picture: Picture, engine: str, device: str) -> list[Entrant]:
    """Who fits the picture: the family of a name or of a field, or for "auto" those that suit the picture.

    Where none of these can be fitted by the engine asked for, "auto" takes those that stand in for others.

    Raises:
        UsageError: an unknown name or field.
        EngineError: the engine asked for cannot fit it.
    """
    if isinstance(field, Field) or field != "auto":
        chosen = registry.family(registry.family_name(field) if isinstance(field, Field) else field)
        refusal = chosen.refuses(picture, engine, device)
        if refusal is not None:
            raise EngineError(refusal)
        return [Entrant(chosen, field if isinstance(field, Field) else None)]
    families = [registry.family(name) for name in registry.FAMILIES]
    able = [each for each in families if each.refuses(picture, engine, device) is None]
    suitable = [each for each in able if each.suits(picture)] or [each for each in able if each.stands_in]
    if not suitable:
        raise EngineError(f"no field can be fitted by the engine {engine!r} on the device {device!r}")
    return [Entrant(each) for each in suitable]


def best_of(files: Sequence[Encoded], goal: Goal) -> Encoded:
    """The smallest file that reaches the goal, or the best one where a size is asked for."""
    if isinstance(goal, Size):
        return max(files, key=lambda each: (each.report["reached"], each.psnr_db, -len(each.data)))
    return min(files, key=lambda each: (not each.report["reached"], len(each.data)))
