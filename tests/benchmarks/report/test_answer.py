"""The answer: sentences whose figures are those of the records, how near settings come to the paper, and the figure."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks.paper.arms import TABLE_1
from benchmarks.paper.published import ACCELERATION
from benchmarks.records.store import Row
from benchmarks.report.answer import answer
from benchmarks.report.evidence import nearness, settings, transforms, wins
from benchmarks.report.panels import WIDTH, panels
from benchmarks.report.table import markdown, shown
from benchmarks.report.table_one import tables

STEPS = 1000


def rows_of(
    field: str, values: dict[str, float], *, images: str = "abcdef", dataset: str = "kodak", **settings: object
) -> list[Row]:
    """Searches of some pictures with these accelerations."""
    usual = {"width": 128 if field == "siren" else 0, "side": 128, "precision": "fp32", "target_db": 50.0, "seed": 0}
    shape = {"study": "paper", "field": field, "dataset": dataset, **usual, "max_steps": 10_000, **settings}
    found = {"reached": True, "seconds": 1.0, "log2_rate": -9, "log2_rates": [-8, -9]}
    return [
        {**shape, **found, "image": image, "transform": name, "steps": round(STEPS / value)}
        for image in images
        for name, value in {"none": 1.0, **values}.items()
    ]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    paper = ACCELERATION["ngp", "kodak"]
    return [
        *rows_of("siren", {"rpp": 0.8, "sympower": 1.6, "zigzag": 1.25}),
        *rows_of("siren", {"rpp": 1.25}, images="ab", side=256, width=256),
        *rows_of("ngp", {**paper, "rpp": 0.5, "inversion": 0.8}),
        *rows_of("ngp", {**paper, "rpp": 1.25}, loss="relative-l2", growth=1.5, adam="usual"),
        *rows_of("ngp", {"rpp": 2.0}, loss="relative-l2"),
    ]


def test_settings_have_labels_of_their_own_in_a_fixed_order(rows: list[Row]) -> None:
    assert [each.title for each in settings(reversed(rows))] == [
        "SIREN, 128 x 128", "SIREN, 256 x 256", "Instant-NGP, 128 x 128", "Instant-NGP, 128 x 128, relative L2",
        "Instant-NGP, 128 x 128, relative L2, growth 1.5, usual Adam",
    ]  # fmt: skip
    twice = settings([*rows, *rows_of("siren", {"rpp": 0.8}, max_steps=500)])
    assert [each.label for each in twice][:2] == ["128 x 128, at most 500 steps", "128 x 128"]


def test_transforms_of_few_pictures_are_left_out(rows: list[Row]) -> None:
    more = rows_of("siren", {"lines": 1.0}, images="ab")
    assert transforms(settings([*rows, *more])) == [*TABLE_1, "sympower"]
    assert "lines" in transforms(settings([*rows, *rows_of("siren", {"lines": 1.0}, images="abc")]))


def test_wins_count_means_that_are_surely_over_1(rows: list[Row]) -> None:
    assert wins(settings(rows), "rpp")[1:] == (3, 5)
    bound = rows_of("siren", {"rpp": 0.1}, max_steps=1200)
    assert wins(settings([row | {"reached": row["transform"] != "none"} for row in bound]), "rpp")[1:] == (0, 1)
    bound = [row | {"reached": row["transform"] == "none", "steps": 1000, "max_steps": 800} for row in bound]
    assert settings(bound)[0].means["kodak"]["rpp"].sign == "<="
    assert wins(settings(bound), "rpp")[1:] == (0, 1)


def test_nearness_is_by_sides_and_by_the_geometric_mean(rows: list[Row]) -> None:
    best, other = nearness(settings(rows), "ngp")
    assert best.setting.label == "128 x 128, relative L2, growth 1.5, usual Adam"
    assert len(best.same_side) == 10
    assert best.distance == pytest.approx(1.2**0.1, rel=1e-2)
    assert "rpp" not in other.same_side
    assert next(iter(other.factors)) == "inversion"
    assert other.distance == pytest.approx(math.exp((math.log(3) + math.log(0.8 / 0.21)) / 10), rel=1e-2)
    assert not nearness(settings(rows), "siren")


def test_nearness_is_about_pictures_with_all_of_the_papers_transforms() -> None:
    paper = ACCELERATION["ngp", "kodak"]
    twice = {name: 2 * value for name, value in paper.items()}
    mixed = [*rows_of("ngp", twice, images="ab"), *rows_of("ngp", {"rpp": 9.0}, images="c")]
    (near,) = nearness(settings(mixed), "ngp")
    assert near.n == 2
    assert near.distance == pytest.approx(2, rel=1e-2)
    assert near.ours["rpp"].value == pytest.approx(twice["rpp"], rel=1e-2)
    assert len(near.same_side) == 10 - sum(0.5 < value < 1 for value in paper.values())
    fewer = {name: value for name, value in paper.items() if name != "zigzag"}
    assert not nearness(settings(rows_of("ngp", fewer)), "ngp")
    assert not nearness(settings(rows_of("ngp", paper, target_db=40.0)), "ngp")


def test_a_bound_from_above_does_not_gain_most() -> None:
    bound = [row | {"reached": row["transform"] != "scale:2"} for row in rows_of("siren", {"rpp": 0.8, "scale:2": 2.0})]
    bound = [row | {"max_steps": 500} for row in bound]
    assert settings(bound)[0].means["kodak"]["scale:2"].sign == "<="
    assert not any("gains most" in sentence for sentence in answer(bound))


def test_the_answer_says_what_the_records_say(rows: list[Row]) -> None:
    verdict, siren, ngp, near = answer(rows)
    assert verdict.startswith("Some do: scale:0.5 and center:1 took fewer steps on average than the picture as it is")
    assert "that were tried on 4 pictures or more; RPP," in verdict
    assert "RPP, which shuffles the pixels, in 2 of 4; in the paper RPP does so in all 6." in verdict
    assert "of RPP is 0.80 [0.80, 0.80] at 128 x 128 (6 pictures of kodak); " in siren  # 1.25 on one is not in it
    assert "the paper has 1.26 at 512 x 512, and of all that was tried on 4 pictures or more sympower gains" in siren
    assert siren.endswith("most, 1.60 [1.60, 1.60] at 128 x 128 (6 pictures of kodak).")
    assert ngp.startswith("With Instant-NGP, the acceleration of RPP is 0.50")
    assert near.startswith("Of 2 settings of Instant-NGP with all ten transforms of the paper, 128 x 128, relative L2,")
    assert "growth 1.5, usual Adam (6 pictures of kodak) comes nearest to it: " in near
    assert "10 of 10 are on the same side of 1 as there, and the means are off by a factor of 1.02" in near
    changed = [row | {"steps": 2 * row["steps"]} if row["transform"] == "rpp" else row for row in rows]
    assert "of RPP is 0.40 [0.40, 0.40] at 128 x 128 (6 pictures of kodak); " in answer(changed)[1]
    assert len(answer(changed)) == 4


def test_the_verdict_where_no_transform_helps_everywhere() -> None:
    verdict = answer([*rows_of("siren", {"zigzag": 2.0}), *rows_of("ngp", {"zigzag": 0.5})])[0]
    assert verdict.startswith("None does everywhere: zigzag took fewer steps")
    assert " in 1 of 2 combinations" in verdict


def test_of_many_settings_the_ends_are_named(rows: list[Row]) -> None:
    more = [row for table in (14, 15) for row in rows_of("ngp", {"rpp": table / 10}, table=table)]
    ngp = answer([*rows, *more])[2]
    assert "is between 0.50" in ngp
    assert re.search(r"and 2\.00 \[.*\] at 128 x 128, relative L2 \(6 pictures of kodak\), over 5 combinations", ngp)


def test_the_ends_are_those_of_all_datasets_and_settings() -> None:
    values = {"kodak": 0.8, "div2k-lr-x2": 0.5, "clic": 1.1, "mine": 0.9}
    siren = answer([row for name, rpp in values.items() for row in rows_of("siren", {"rpp": rpp}, dataset=name)])[1]
    assert "is between 0.50 [0.50, 0.50] at 128 x 128 (6 pictures of div2k-lr-x2) and 1.10" in siren
    assert "the paper has 1.08 to 1.30 at 512 x 512" in siren


def test_a_field_of_ones_own_has_its_sentence(rows: list[Row]) -> None:
    said = answer([*rows, *rows_of("gauss", {"rpp": 0.7}, optimiser="muon")])
    assert "With gauss, the acceleration of RPP is 0.70 [0.70, 0.70] at 128 x 128, Muon (6 pictures of kodak)." in said


def test_an_answer_of_little() -> None:
    assert answer([]) == []
    assert answer(rows_of("ngp", {"rpp": 0.5, "zigzag": 2.0}, images="a", dataset="mine"))[0] == (
        "On 1 picture of mine with Instant-NGP, 128 x 128, 1 of 2 transforms took fewer steps on average than the"
        " picture as it is; the best is zigzag, with an acceleration of 2.00."
    )


def test_the_figure_has_a_line_for_each_setting_that_was_tried(rows: list[Row]) -> None:
    made = {each.transform: each for each in panels(settings(rows))}
    lines = [(each.field, each.name) for each in made["rpp"].lines]
    assert len(lines) == len(set(lines)) == 7
    assert [name for field, name in lines if field == "siren"] == ["128 x 128", "256 x 256", "the paper, 512 x 512"]
    assert [each.name for each in made["sympower"].lines] == ["128 x 128"]
    assert "SIREN, 128 x 128: kodak 0.80; " in made["rpp"].description


def test_marks_that_stand_for_few_pictures_are_small() -> None:
    for images, radius in (("abc", "2.2"), ("abcd", "4")):
        panel = panels(settings(rows_of("ngp", {"rpp": 0.5}, images=images)))[0]
        svg = ElementTree.fromstring(f"<svg>{''.join(panel.drawn())}</svg>")
        assert {each.attrib["class"]: each.attrib["r"] for each in svg.iter("circle")} == {
            "kodak mark": radius, "kodak hollow": "4",
        }  # fmt: skip


def test_names_in_the_figure_leave_room_for_values(rows: list[Row]) -> None:
    both = [*rows, *({**row, "dataset": "clic"} for row in rows)]
    for panel in panels(settings(both)):
        svg = ElementTree.fromstring(f"<svg>{''.join(panel.drawn())}</svg>")
        texts = [
            (float(each.attrib["y"]), each.attrib.get("text-anchor"), each.text or "") for each in svg.iter("text")
        ]
        for y, anchor, name in texts:
            if anchor is None:
                values = [value for other, at, value in texts if (other, at) == (y, "end")]
                assert 8 * len(name) + sum(9 * len(value) + 3 for value in values) <= WIDTH
            assert 0 < y < panel.height


def test_table_1_and_what_stands_beside_it(rows: list[Row]) -> None:
    named = {table.name: table for table in tables(rows)}
    assert list(named) == ["table-1-siren", "table-1-ngp", "setups", "nearness-ngp"]
    assert "| 128 x 128, relative L2, growth 1.5, usual Adam | 6 | 10 of 10 | 1.02 |  |  |" in markdown(
        named["nearness-ngp"]
    )
    row = "Instant-NGP, 128 x 128, relative L2 | - | finest has half the side | 2^24 | 0.0001 | relative squared error"
    assert f"| {row} | Adam, as suits the field |" in markdown(named["setups"])
    own = {table.name: table for table in tables(rows_of("gauss", {"rpp": 0.7}, optimiser="muon"))}
    assert "| squared error | Muon |" in markdown(own["setups"])
    assert tables([]) == []


def test_table_1_has_a_line_for_each_number_of_pictures() -> None:
    fewer = [*rows_of("siren", {"rpp": 0.8, "zigzag": 1.6}, images="ab"), *rows_of("siren", {"rpp": 0.9}, images="c")]
    (table,) = [table for table in tables(fewer) if table.name == "table-1-siren"]
    ours = [[shown(cell) for cell in row] for row in table.rows[1:]]
    assert ours == [["kodak, 128 x 128", "3", "0.83", "-"], ["kodak, 128 x 128", "2", "-", "1.60"]]


def test_rates_between_powers_of_two_are_a_setting_of_their_own(rows: list[Row]) -> None:
    finer = settings([*rows, *rows_of("siren", {"rpp": 0.9}, images="a", halvings=2)])
    assert [each.label for each in finer][:2] == ["128 x 128", "128 x 128, rates halved 2 times"]
    assert finer[0].means["kodak"]["rpp"].value == pytest.approx(0.8)
