"""Figures say in words and shapes what the rows say; nothing is cut, nothing is global."""

import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from evidence.errors import EvidenceError
from evidence.figures import (
    ApproachCount,
    GapCell,
    Level,
    SearchEnd,
    Win,
    YearCount,
    approaches,
    benchmarks,
    gap_map,
    save,
    years,
)
from evidence.forest import sizes
from evidence.prisma import FlowStep, prisma
from tests.unit.evidence.drawing import FLOW, cut_texts, drawn, result, words, xs


def cell(
    modality: str, anatomy: str, n: int = 1, compared: int = 0, level: Level = "low"
) -> GapCell:
    return GapCell(
        modality=modality, anatomy=anatomy, n_studies=n, n_compared=compared, certainty=level
    )


def every_figure() -> list[Figure]:
    results = [result(n) for n in range(6)]
    cells = [
        cell("optical coherence tomography", "gastrointestinal tract"),
        cell("CT", "lung", 12, 3),
    ]
    counts = [YearCount(year=2016, review="a", n=2), YearCount(year=2019, review="b", n=30)]
    return [
        gap_map(cells),
        benchmarks([Win(winner="InceptionResNet", loser="VGGNet", study_key="a")]),
        years(
            counts, [SearchEnd(review="b", date="2019-05-20"), SearchEnd(review="a", date="2018")]
        ),
        approaches([ApproachCount(approach="fine tuning", size="under 1,000", n=3)]),
        drawn(results),
        sizes(results),
        prisma(FLOW, "kim2022"),
    ]


# -- all of them --------------------------------------------------------------------------------


def test_no_text_is_cut_off() -> None:
    assert [cut_texts(figure) for figure in every_figure()] == [[]] * 7


@pytest.mark.parametrize("odd", [r"$\frac$", "cost $5 and $6", r"\$5 and $6$", "a_b^c $"])
def test_a_dollar_is_a_dollar_in_every_label(tmp_path: Path, odd: str) -> None:
    results = [result(n, label=odd, backbone=odd, locator=odd) for n in range(2)]
    step = FlowStep(
        label=odd, kind="identified", note=odd, reasons=((odd, 1),), sources=((odd, 1),)
    )
    figures = [
        gap_map([cell(odd, odd), cell("CT", "lung")]),
        benchmarks([Win(winner=odd, loser="VGGNet", study_key="a")]),
        years([YearCount(year=2016, review=odd, n=2)], [SearchEnd(review=odd, date="2016")]),
        approaches([ApproachCount(approach=odd, size=odd, n=3)]),
        drawn(results),
        prisma([step], odd),
    ]
    for number, figure in enumerate(figures):
        save(figure, tmp_path / f"{number}.png")
        save(figure, tmp_path / f"{number}.svg")
        assert odd in unescape((tmp_path / f"{number}.svg").read_text()), number


def test_the_log_axis_is_labelled_without_mathematics(tmp_path: Path) -> None:
    figure = sizes([result(n, n_images=10 ** (n + 2)) for n in range(4)])
    figure.draw_without_rendering()
    ticks = {label.get_text() for label in figure.axes[0].get_xticklabels()}
    assert {"100", "1,000", "100,000"} <= ticks
    narrow = sizes([result(n, n_images=900 + n) for n in range(4)])
    narrow.draw_without_rendering()
    assert "$" not in words(figure) + words(narrow)


@pytest.mark.parametrize("draw", [gap_map, benchmarks, years, approaches, sizes, prisma])
def test_nothing_to_draw_is_said(draw: Any) -> None:
    with pytest.raises(EvidenceError, match="nothing to draw"):
        draw([])


def test_a_saved_figure_keeps_its_text_and_is_the_same_each_time(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for number, figure in enumerate(every_figure()):
            save(figure, tmp_path / folder / f"{number}.svg")
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert "<text" in path.read_text()
        assert "<dc:date>" not in path.read_text()
    assert "printed n = 121" in (tmp_path / "one" / "6.svg").read_text()


def test_a_png_is_written_and_other_formats_are_refused(tmp_path: Path) -> None:
    figure = approaches([ApproachCount(approach="a", size="b", n=1)])
    save(figure, tmp_path / "figure.PNG")
    assert (tmp_path / "figure.PNG").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(EvidenceError, match=r"\.svg or \.png"):
        save(figure, tmp_path / "figure.pdf")


def test_a_figure_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:9])
        raise OSError(28, "No space left on device")

    path = tmp_path / "figure.svg"
    path.write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(EvidenceError, match="No space left"):
        save(Figure(), path)
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(EvidenceError, match="cannot write"):
        save(Figure(), tmp_path / "missing" / "figure.svg")


def test_the_modules_load_nothing_heavy_and_never_pyplot(tmp_path: Path) -> None:
    script = f"""
import sys
from html import unescape
from pathlib import Path
from evidence import agreement, figures, forest, prisma, synthesis
assert not {{"matplotlib", "statsmodels", "scipy", "pandas", "numpy"}} & set(sys.modules)
row = figures.ApproachCount(approach="a", size="b", n=1)
figures.save(figures.approaches([row]), Path({str(tmp_path / "a.svg")!r}))
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


# -- gap map ------------------------------------------------------------------------------------


def test_gaps_are_hatched_and_numbers_written() -> None:
    figure = gap_map([cell("CT", "lung", 7, 3), cell("MRI", "brain", 2), cell("MRI", "lung", 0)])
    tiles = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    assert [bool(tile.get_hatch()) for tile in tiles] == [False, True, True, False]
    assert {"7 (3)", "2"} <= set(words(figure).split("\n"))
    assert "0" not in words(figure).split("\n")


def test_certainty_has_a_shape_of_its_own() -> None:
    levels: tuple[Level, ...] = ("high", "moderate", "low", "insufficient evidence")
    figure = gap_map([cell("CT", f"a{n}", 1, 0, level) for n, level in enumerate(levels)])
    assert len({str(line.get_marker()) for line in figure.axes[0].lines}) == 4
    assert all(level in words(figure) for level in levels)


def test_more_studies_are_darker_also_in_grey() -> None:
    figure = gap_map([cell("CT", f"a{n}", n) for n in range(1, 9)])
    reds = [int(to_hex(tile.get_facecolor())[1:3], 16) for tile in figure.axes[0].patches]
    assert reds == sorted(reds, reverse=True)
    assert len(set(reds)) == len(reds)


# -- head to head, years, approaches ------------------------------------------------------------


def test_wins_and_losses_are_counted_by_pair_and_study() -> None:
    wins = [Win(winner="VGGNet", loser="AlexNet", study_key=key) for key in ("a", "a", "b")]
    wins += [Win(winner="AlexNet", loser="VGGNet", study_key="c")]
    wins += [Win(winner="VGGNet", loser="VGGNet", study_key="d")]
    figure = benchmarks(wins)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["", "1:3\n(3)", "3:1\n(3)", "1\n(1)"]
    assert "No ranking" in words(figure)
    assert "5 pairs from 4 studies" in words(figure)


def test_families_stand_in_alphabetical_order_whoever_wins() -> None:
    figure = benchmarks(
        [Win(winner="Z", loser="A", study_key="a"), Win(winner="M", loser="A", study_key="b")]
    )
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["A", "M", "Z"]


def test_years_without_studies_are_there_and_totals_add_up() -> None:
    counts = [
        YearCount(year=2016, review="kim2022", n=2),
        YearCount(year=2018, review="kim2022", n=1),
    ]
    counts.append(YearCount(year=2018, review="morid2022", n=3))
    figure = years(counts, [SearchEnd(review="morid2022", date="2018-06-30")])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [
        "2016",
        "2017",
        "2018",
    ]
    assert [text.get_text() for text in figure.axes[0].texts] == [
        "2",
        "1",
        "3",
        "4",
        "morid2022 ends",
    ]
    assert "morid2022 2018-06-30" in words(figure)
    # The end of June lies in the middle of the place of its year.
    assert xs(figure.axes[0].lines[0]) == pytest.approx([2, 2])


def test_pieces_of_a_bar_differ_in_hatch() -> None:
    rows = [ApproachCount(approach=f"a{n}", size="small", n=n + 1) for n in range(5)]
    bars = approaches(rows).axes[0].patches
    assert len({bar.get_hatch() for bar in bars}) == 5
    assert len({to_hex(bar.get_facecolor()) for bar in bars}) == 5
