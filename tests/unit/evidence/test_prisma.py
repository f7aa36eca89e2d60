"""The flow is drawn as printed, with both numbers where it does not add up."""

import pytest
from matplotlib.text import Annotation

from evidence.prisma import FlowStep, prisma
from tests.unit.evidence.drawing import (
    FLOW,
    boxes_of,
    cut_texts,
    words,
)


def test_a_number_that_does_not_add_up_is_shown_both_ways_and_dashed() -> None:
    figure = prisma(FLOW)
    text = " ".join(words(figure).split())
    assert "included (printed n = 121, derived n = 122)" in text
    assert "236 - 114 = 122" in text
    assert "excluded in screening (n = 189, not printed)" in text
    assert [box.get_linestyle() for box in boxes_of(figure)].count("--") == 1


def test_exclusions_stand_aside_with_reasons_and_arrows() -> None:
    figure = prisma(FLOW)
    arrows = [text for text in figure.axes[0].texts if isinstance(text, Annotation)]
    # Three leave the flow, and four levels are joined by three arrows.
    assert len(arrows) == 6
    text = " ".join(words(figure).split())
    assert "a physician would look at: n = 60" in text
    assert "PubMed: n = 300" in text
    assert {"Identification", "Screening", "Included"} <= set(words(figure).split("\n"))


def test_texts_stay_within_their_boxes() -> None:
    figure = prisma(FLOW)
    figure.draw_without_rendering()
    boxes = [box.get_window_extent() for box in boxes_of(figure)]
    texts = [
        text.get_window_extent()
        for text in figure.axes[0].texts
        if text.get_text() and not isinstance(text, Annotation) and text.get_rotation() == 0
    ]
    # The title is the one text without a box; here it is empty.
    for inner in texts:
        assert any(
            box.x0 <= inner.x0 and inner.x1 <= box.x1 and box.y0 <= inner.y0 and inner.y1 <= box.y1
            for box in boxes
        )


def test_two_statements_of_one_step_stand_side_by_side() -> None:
    twice = FlowStep(label="retrieved, says the abstract", kind="identified", n_printed=425)
    one, other, below = boxes_of(prisma([FLOW[0], twice, FLOW[2]]))
    assert one.get_y() == other.get_y() > below.get_y()
    assert below.get_width() == pytest.approx(other.get_x() + other.get_width() - one.get_x())


def test_a_flow_may_begin_with_an_exclusion_or_have_no_number() -> None:
    figure = prisma([FlowStep(label="left out", kind="excluded"), FLOW[-1]])
    assert "(n not stated)" in words(figure)
    assert cut_texts(figure) == []
