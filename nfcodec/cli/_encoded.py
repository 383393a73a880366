"""What `encode` says about a file that it has made, to people: one line in short, and notes on the transforms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nfcodec.fields.registry import FAMILIES
from nfcodec.transforms import Permutation, left_shuffled, parse_permutations

HEADERS = 100
"""Bytes that a file may take beside its samples and what undoes its chain."""

Report = Mapping[str, Any]
"""As `nfcodec.codec.Encoded.report`, with "path", "png_bytes" and "bound_bytes"."""


def target(report: Report) -> str:
    """What was asked for."""
    if "target_bytes" in report:
        return f"{report['target_bytes']:,} bytes"
    psnr_db = report["target_psnr_db"]
    return "no loss" if psnr_db is None else f"{psnr_db:g} dB"


def summary(name: str, report: Report) -> str:
    """The line about a file of a name; what `note` tells of it is left out."""
    psnr = "lossless" if report["psnr_db"] is None else f"{report['psnr_db']:.2f} dB"
    text = f"{name}: {report['bytes']:,} bytes, {report['bpp']:.3f} bpp, {psnr} (target {target(report)})"
    text += f" in {report['seconds']:.1f} s; {report['field']}"
    if not left_shuffled(parse_permutations(report["transform"])):
        text += f", {_fitted(report)}"
    return f"{text}; PNG: {report['png_bytes']:,} bytes"


def note(report: Report) -> str | None:
    """What the chain's permutations and the field mean for the file, in one paragraph; None where nothing is to say."""
    permutations = parse_permutations(report["transform"])
    about_order = [*_on_random_order(permutations, report), *_on_key_planes(permutations, report)]
    return " ".join([*about_order, *_on_size(report)]) or None


def note_on_seed(seed: int, report: Report) -> str | None:
    """That a seed changed nothing in the file, if one was asked for and it did not."""
    if not seed or report["seed"] is not None:
        return None
    return f"--seed {seed} changed nothing: the chain has no random order (rpp), and no gradient steps made the file"


def _on_random_order(permutations: Sequence[type[Permutation]], report: Report) -> Iterator[str]:
    """Sentences on a chain that leaves the pixels in a random order."""
    shuffles = left_shuffled(permutations)
    if not shuffles:
        return
    yield f"{_names(shuffles)} put the pixels in a random order, so only their colours could be compressed."
    entry = FAMILIES[report["field"]]
    yield f"Fitted: {entry.words}, {_fitted(report)}."
    if report["bound_bytes"] is not None:
        psnr_db = round(report["target_psnr_db"], 2)
        yield f"At {psnr_db:g} dB such a picture takes at least {report['bound_bytes']:,} bytes (lower bound)."
    if not entry.is_network:
        *some, last = (name for name, each in FAMILIES.items() if each.is_network)
        yield f"--field {', '.join(some)} or {last} fits a network to the permuted picture."


def _on_key_planes(permutations: Sequence[type[Permutation]], report: Report) -> Iterator[str]:
    """A sentence on a chain whose order depends on the picture."""
    names = _names([each for each in permutations if each.n_planes])
    if names:
        share = f"{report['side_info_bytes']:,} of its {report['bytes']:,} bytes"
        yield f"The file holds the intensities of all pixels, by which {names} can be undone, in {share}."


def _on_size(report: Report) -> Iterator[str]:
    """A sentence on a file that is larger than the samples; `auto` makes none."""
    if report["bytes"] > report["raw_bytes"] + report["side_info_bytes"] + HEADERS:
        yield f"The file is larger than the samples themselves, which take {report['raw_bytes']:,} bytes."
        yield "With --field auto it would not be."


def _names(kinds: Sequence[type[Permutation]]) -> str:
    return " and ".join(dict.fromkeys(each.name for each in kinds))


def settings(recipe: Mapping[str, Any]) -> str:
    """A recipe in words."""
    return ", ".join(_settings(recipe))


def _fitted(report: Report) -> str:
    """How the weights came about, and which steps did what."""
    more = report["steps"] - report["fit_steps"]
    apart = f" ({report['fit_steps']} to fit, {more} to fine-tune the rounded weights)" if more else ""
    return report["fitted"] + apart


def _settings(recipe: Mapping[str, Any]) -> Iterator[str]:
    """Each setting in words; a group of settings as one list."""
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            yield from _settings(value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield f"{name.replace('_', ' ')} {_in_words(value)}"


def _in_words(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_in_words, value)) + "]"  # pyright: ignore[reportUnknownArgumentType]
    return f"{value:g}" if isinstance(value, float) else str(value)
