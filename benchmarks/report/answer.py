"""The answer to the paper's question in five sentences, made of records; what they say nothing on is left out."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.paper import published
from benchmarks.records.store import Row
from benchmarks.report.encode_groups import DEFAULT_EFFORT, SOLVED, Against, codec_setups, compared
from benchmarks.report.evidence import FAR, FEWEST, Nearness, Setting, Wins, nearness, settings, transforms, wins
from benchmarks.report.grouping import family_of
from benchmarks.report.plot import count

QUESTION = "Does a transform speed up fitting?"

MEANING = "Acceleration is the number of steps without a transform over the number with it: over 1 is faster."

WORDS = (
    "Settings of Instant-NGP: relative L2 is the loss of tiny-cuda-nn's sample, the squared error over the square of"
    " the output; without it the loss is the squared error. Growth 1.5 means that each level has 1.5 times the vertices"
    " a side of the one before; without it the finest level has half as many a side as there are pixels. Entries are"
    " those of the tables, which begin at random, within 0.0001 where nothing else is said. Usual Adam has the"
    " constants 0.9, 0.999 and 1e-8; without it they are 0.9, 0.99 and 1e-15, those of Instant-NGP. Transforms: rpp"
    " shuffles the pixels, zigzag sorts them, and sympower bends their values so that the median lies in the middle."
    " Combinations share pictures, so they are no independent trials."
)
"""What the sentences do not explain."""

FEW = 3
"""Settings that a sentence names one by one; of more it names the lowest and the highest."""

RPP = "rpp"

FEWER = "fewer steps on average than the picture as it is"

COMBINED = "a field, its settings and a set of pictures"


def answer(rows: Sequence[Row]) -> list[str]:
    """How often transforms help, RPP with each field, how near the paper that is, and files: a sentence each."""
    found = settings(rows)
    said = [
        _verdict(found),
        *(_field(found, field) for field in dict.fromkeys(setting.setup.field for setting in found)),
        _near(nearness(found, "ngp")),
        _files(rows),
    ]
    return [sentence for sentence in said if sentence]


def _verdict(found: Sequence[Setting]) -> str:
    fewest = _fewest(found)
    cases = [(each, dataset) for each in found for dataset in each.means if each.n(dataset) >= fewest]
    if len(cases) < 2:
        return _single(*cases[0]) if cases else ""
    counts = {each.transform: each for name in transforms(found) if (each := wins(found, name, fewest)).n_of}
    rpp = counts.pop(RPP, None)
    often = [each for each in counts.values() if 2 * each.n_of >= len(cases)]
    best = max(often, key=lambda each: (each.n / each.n_of, each.n_of), default=None)
    parts: list[str] = []
    if best:
        named = _listed([each.transform for each in often if each[1:] == best[1:]])
        start = "Some do" if best.n == best.n_of else "None does everywhere"
        parts.append(
            f"{start}: {named} took {FEWER} in {_so_many(best)} combinations of {COMBINED}"
            f" that were tried on {_at_least(fewest)}"
        )
    if rpp:
        parts.append(f"RPP, which shuffles the pixels, {'' if best else f'took {FEWER} '}in {_so_many(rpp)}")
        theirs = [means[RPP] for means in published.ACCELERATION.values()]
        parts.append(f"in the paper RPP does so in {_so_many(Wins(RPP, sum(x > 1 for x in theirs), len(theirs)))}")
    return f"{'; '.join(parts)}." if parts else ""


def _so_many(each: Wins) -> str:
    return f"all {each.n}" if each.n == each.n_of else f"{each.n} of {each.n_of}"


def _single(setting: Setting, dataset: str) -> str:
    means = setting.means[dataset]
    faster = sum(mean.is_over_1 for mean in means.values())
    best = max(means, key=lambda name: means[name].value)
    return (
        f"On {_pictures(setting, dataset)} with {setting.title}, {faster} of {count(len(means), 'transform')} took"
        f" {FEWER}; the best is {best}, with an acceleration of {means[best]}."
    )


def _field(found: Sequence[Setting], field: str) -> str:
    """The acceleration of RPP with a field, what the paper has, and which transform gains most."""
    mine = [setting for setting in found if setting.setup.field == field]
    fewest = _fewest(mine)
    known = [
        (means[RPP], setting, dataset)
        for setting in mine
        for dataset, means in setting.means.items()
        if RPP in means and means[RPP].n_pictures >= fewest
    ]
    if not known:
        return ""
    values = [(mean.value, f"{mean} {_where(setting, dataset)}") for mean, setting, dataset in known]
    said = _listed([text for _, text in values])
    if len(values) > FEW:
        tried = f"{len(values)} combinations of a setting and a set of pictures"
        said = f"between {min(values)[1]} and {max(values)[1]}, over {tried}"
    theirs = sorted({setting.papers(dataset)[RPP] for _, setting, dataset in known if setting.papers(dataset)})
    papers = " to ".join(f"{value:.2f}" for value in dict.fromkeys((theirs[0], theirs[-1]))) if theirs else ""
    paper = f"; the paper has {papers} at {published.SIZE}" if papers else ""
    return f"With {family_of(field)}, the acceleration of RPP is {said}{paper}{_best(mine)}."


def _best(mine: Sequence[Setting]) -> str:
    """The transform that gains most on enough pictures, unless it is RPP."""
    names, fewest = transforms(mine), _fewest(mine)
    enough = [
        (mean, name, _where(setting, dataset))
        for setting in mine
        for dataset, means in setting.means.items()
        for name, mean in means.items()
        if name in names and mean.n_pictures >= fewest and mean.is_over_1
    ]
    mean, name, where = max(enough, key=lambda one: one[0].value, default=(None, RPP, ""))
    if name == RPP:
        return ""
    return f", and of all that was tried on {_at_least(fewest)} {name} gains most, {mean} {where}"


def _fewest(found: Sequence[Setting]) -> int:
    """Pictures that a mean must be over to count: `FEWEST`, or as many as there are."""
    return min(FEWEST, max((each.n(dataset) for each in found for dataset in each.means), default=0))


def _at_least(n: int) -> str:
    return f"{count(n, 'picture')} or more"


def _near(each: Sequence[Nearness]) -> str:
    """Which setting comes nearest to the paper's row, and what it does not explain."""
    if not each:
        return ""
    best = each[0]
    unlike = [name for name, factor in best.factors.items() if factor > FAR]
    unlike = [f"{name} ({best.ours[name].value:.2f} here, {best.theirs[name]:.2f} there)" for name in unlike]
    left = (
        f"; more than a factor of {FAR:g} off {'are' if len(unlike) > 1 else 'is'} {_listed(unlike)}" if unlike else ""
    )
    family, pictures = best.setting.setup.family, f"{count(best.n, 'picture')} of {best.dataset}"
    start = (
        f"Of {len(each)} settings of {family} with all ten transforms of the paper, {best.setting.label} ({pictures})"
        " comes nearest to it"
        if len(each) > 1
        else f"{best.setting.title} ({pictures}) is the only setting with all ten transforms of the paper"
    )
    agreed = f"{len(best.same_side)} of {len(best.ours)} are on the same side of 1 as there"
    others = max(len(one.same_side) for one in each)
    more = f" (at most {others} in other settings)" if others > len(best.same_side) else ""
    return f"{start}: {agreed}{more}, and the means are off by a factor of {best.distance:.2f} (geometric mean){left}."


def _files(rows: Sequence[Row]) -> str:
    """What RPP changes in whole encodes of the usual effort, at the highest PSNR of them."""
    found = {setup: group for setup, group in codec_setups(rows).items() if setup.effort == DEFAULT_EFFORT}
    target_db = max((setup.target_db for setup in found), default=0)
    chosen = {setup: compared(group) for setup, group in found.items() if setup.target_db == target_db}
    said = sorted((text for ways in chosen.values() if (text := _of_encodes(ways))), key=len)
    if not said:
        return ""
    n = max(each.n for ways in chosen.values() for each in ways)
    where = "; ".join(sorted({setup.shape for setup in chosen}))
    return (
        f"In whole encodes to {target_db:g} dB ({count(n, 'picture')}, {where}), a picture with RPP takes, over the"
        f" same picture without, {_listed(said)}."
    )


def _of_encodes(ways: Sequence[Against]) -> str:
    rpp = next((each for each in ways if each.way.transform == RPP), None)
    plain = next((each for each in ways if each.is_reference), None)
    if not rpp or not plain or not rpp.bytes_ratio:
        return ""
    size = f"{rpp.bytes_ratio.value:.2f} times the bytes"
    if not rpp.fit_steps_ratio:
        return f"{size} with `{rpp.way.family}`, which is {SOLVED} and takes the place of `{plain.way.family}`"
    return f"{rpp.fit_steps_ratio.value:.2f} times the steps and {size} with `{rpp.way.family}`"


def _where(setting: Setting, dataset: str) -> str:
    return f"at {setting.label} ({_pictures(setting, dataset)})"


def _pictures(setting: Setting, dataset: str) -> str:
    return f"{count(setting.n(dataset), 'picture')} of {dataset}"


def _listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
