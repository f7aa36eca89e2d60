"""The forest plot shows what was reported as what it is, and pools only where honest."""

import re

import pytest
from matplotlib.patches import Polygon

from evidence.forest import sizes
from tests.unit.evidence.drawing import (
    cut_texts,
    drawn,
    marks,
    result,
    words,
    xs,
    ys,
)


def test_a_bound_is_an_arrow_a_range_a_bar_and_an_unsure_value_hollow() -> None:
    figure = drawn(
        [
            result(0, operator=">", value=0.9),
            result(1, operator="range", value=0.85, value_high=0.96),
            result(2, n_test=None, value=0.7),
            result(3, value=0.8),
        ]
    )
    (arrow,), (hollow,), (point,) = (marks(figure, shape) for shape in (">", "o", "s"))
    assert ys(arrow) == [0, 0]
    assert xs(arrow)[0] == 0.9 < xs(arrow)[1]
    assert xs(hollow) == [0.7]
    assert hollow.get_markerfacecolor() == "white"
    assert xs(point)[1] == 0.8
    bars = [line for line in marks(figure, "None") if ys(line) == [1, 1]]
    assert [xs(bar) for bar in bars] == [[0.85, 0.96]]
    assert {"> 0.9", "0.85 to 0.96", "0.7"} <= set(words(figure).split("\n"))


@pytest.mark.parametrize(
    ("k", "diamonds", "predictions"), [(1, 0, 0), (2, 0, 0), (3, 1, 0), (5, 1, 1)]
)
def test_the_diamond_stands_only_where_it_is_honest(
    k: int, diamonds: int, predictions: int
) -> None:
    figure = drawn([result(n) for n in range(k)])
    found = [p for p in figure.axes[0].patches if type(p) is Polygon]
    assert len(found) == diamonds
    assert len(marks(figure, "|")) == predictions
    assert words(figure).count("pooled, 95% interval") == diamonds
    assert words(figure).count("prediction interval") == predictions


def test_each_row_names_study_sizes_and_source() -> None:
    text = words(drawn([result(7, n_test=1942, n_images=129405)])).split("\n")
    assert {"Doe 7 (VGG-16)", "1,942", "129,405", "morid2022, Table S5, [7]"} <= set(text)
    assert any(re.fullmatch(r"0\.814 \[0\.796, 0\.831\]", line) for line in text)


def test_what_was_left_out_and_what_to_beware_of_stands_below() -> None:
    text = words(drawn([result(n) for n in range(5)] + [result(9, operator=">")]))
    text = " ".join(text.split())
    assert "1 (a lower bound (>) is no point)" in text
    assert "10.1371/journal.pone.0224365" in text
    assert "Paule-Mandel" in text


def test_sixty_rows_are_as_readable_as_one() -> None:
    one, many = drawn([result(0)]), drawn([result(n) for n in range(60)])
    for figure, n_rows in ((one, 2), (many, 62)):
        assert cut_texts(figure) == []
        place = figure.axes[0].get_position()
        assert place.height * figure.get_figheight() / n_rows == pytest.approx(0.24)


def test_long_labels_do_not_run_into_the_plot() -> None:
    long = result(1, label="Hosseinzadeh Kassani and Wimmershoff-Oberhuber 2019")
    figure = drawn(
        [long, result(2, locator="fourcade2019, Table 1-6 (Continued), Esteva et al. [31]")]
    )
    assert cut_texts(figure) == []
    (name,) = (text for text in figure.axes[0].texts if text.get_text().startswith("Hosse"))
    assert name.get_window_extent().x1 < figure.axes[0].get_window_extent().x0


def test_sizes_draw_bounds_upwards_and_count_the_others() -> None:
    figure = sizes(
        [
            result(0, operator=">", value=0.9),
            result(1, metric="auc", value=0.8),
            result(2, n_images=None),
            result(3, metric="dice"),
        ]
    )
    (arrow,) = marks(figure, "^")
    assert ys(arrow)[0] == 0.9 < ys(arrow)[1]
    assert figure.axes[0].get_xscale() == "log"
    assert "2 of 4 results" in words(figure)
