"""Plots: what is drawn is what was measured."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib._pylab_helpers import Gcf
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.text import Text
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from evidence.errors import EvidenceError
from tests.unit.trainer.reporting import outcomes, step_of
from trainer.reporting import plots, plots_of_training
from trainer.reporting.plots import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def words(figure: "Figure") -> str:
    figure.draw_without_rendering()
    return " ".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def curves(n_classes: int = 2) -> list[Curve]:
    some = outcomes(n_classes=n_classes)
    return [
        Curve(f"class {number}", some.targets == number, some.predictions[:, number])
        for number in range(n_classes)
    ]


def lines(axes: "Axes", label: str) -> list[np.ndarray]:
    return [np.asarray(line.get_xydata()) for line in axes.lines if label in str(line.get_label())]


ALL: dict[str, Callable[[], Any]] = {
    "confusion": lambda: plots.confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), ["a", "b"]),
    "roc": lambda: plots.roc(curves()[:1], outcomes().units, 0),
    "several rocs": lambda: plots.roc(curves(3), outcomes().units, 0),
    "precision": lambda: plots.precision_recall(curves(3)),
    "calibration": lambda: plots.calibration(curves()[0].probability, curves()[0].holds, "x"),
    "epochs": lambda: plots_of_training.history(
        [{"epoch": e, "train_loss": 1 / e, "validation_loss": 1.0, "validation_auc": 0.9}
         for e in (1, 2)]
    ),
    "settings": lambda: plots_of_training.history([{"setting": "C=1", "loss": 0.5}], "C=1"),
    "ladder": lambda: plots_of_training.ladder([step_of(low=None), step_of(value=None)], "AUC"),
    "agreement": lambda: plots_of_training.agreement(np.arange(3.0), np.arange(3.0), "mm"),
    "differences": lambda: plots_of_training.bland_altman(np.arange(3.0), np.ones(3), "mm"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_every_plot_names_its_axes_and_is_the_same_file_each_time(name: str) -> None:
    figure = ALL[name]()
    drawn = [axes for axes in figure.axes if axes.get_ylabel() or len(axes.get_yticks())]
    assert drawn
    assert all(axes.get_ylabel() for axes in drawn)
    assert drawn[-1].get_xlabel()
    assert plots.to_png(figure) == plots.to_png(ALL[name]())


def test_no_plot_is_left_in_the_global_state_of_matplotlib() -> None:
    for draw in ALL.values():
        draw()
    assert not Gcf.figs


def test_a_confusion_matrix_counts_true_classes_in_rows() -> None:
    text = words(plots.confusion(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), ["a", "b"]))
    assert "2\n(67%) 1\n(33%) 0\n(0%) 1\n(100%)" in text


def test_many_classes_are_drawn_without_numbers_and_a_missing_one_is_no_error() -> None:
    names = [f"class {number}" for number in range(plots.MAX_NUMBERED + 1)]
    text = words(plots.confusion(np.array([0, 1]), np.array([0, 0]), names))
    assert "%" not in text.split("Images;")[0]


def test_curves_tell_the_areas_of_scikit_learn() -> None:
    for curve in curves(3):
        area = roc_auc_score(curve.holds, curve.probability)
        average = average_precision_score(curve.holds, curve.probability)
        assert f"{curve.name} (AUC {area:.3f})" in words(plots.roc(curves(3), outcomes().units, 0))
        assert f"{curve.name} (AP {average:.3f})" in words(plots.precision_recall(curves(3)))


def test_a_single_roc_has_a_band_that_holds_it_and_several_have_none() -> None:
    one = plots.roc(curves()[:1], outcomes().units, 0).axes[0]
    assert len(one.collections) == 1
    assert not plots.roc(curves(3), outcomes().units, 0).axes[0].collections
    edge = np.asarray(one.collections[0].get_paths()[0].vertices)
    drawn = lines(one, "class 0")[0]
    for across in np.linspace(0.1, 0.9, 9):
        heights = edge[np.abs(edge[:, 0] - across) < 1e-9][:, 1]
        assert heights.min() <= np.interp(across, *drawn.T) <= heights.max()


def test_the_band_of_a_model_that_tells_nothing_is_the_diagonal() -> None:
    """Images of one probability are called together, in each resample too."""
    axes = plots.roc([Curve("a", np.arange(40) < 20, np.full(40, 0.5))], outcomes().units, 0).axes[
        0
    ]
    edge = np.asarray(axes.collections[0].get_paths()[0].vertices)
    np.testing.assert_allclose(edge[:, 0], edge[:, 1], atol=1e-9)


def test_an_operating_point_is_marked_at_its_rates() -> None:
    axes = plots.roc(curves()[:1], outcomes().units, 0, plots.Rates(0.9, 0.7)).axes[0]
    np.testing.assert_allclose(lines(axes, "operating point"), [[[0.3, 0.9]]])


def test_patients_of_many_images_widen_the_band() -> None:
    curve = curves()[0]

    def width(units: list[str]) -> float:
        axes = plots.roc([curve], units, 0).axes[0]
        edge = np.asarray(axes.collections[0].get_paths()[0].vertices)
        return float(np.ptp(edge[np.abs(edge[:, 0] - 0.2) < 0.011][:, 1]))

    order = np.argsort(curve.probability)
    units = np.empty(len(order), dtype=object)
    units[order] = [str(number // 8) for number in range(len(order))]
    assert width([str(unit) for unit in units]) > width([str(i) for i in range(len(order))])


def test_a_class_without_images_has_no_curve_and_the_plot_says_so() -> None:
    empty = Curve("never", np.zeros(40, bool), np.linspace(0, 1, 40))
    text = words(plots.roc([*curves(), empty], outcomes().units, 0))
    assert "never" not in text
    assert "1 without both outcomes" in text
    plots.to_png(plots.roc([empty], outcomes().units, 0))


def test_of_many_classes_the_commonest_are_drawn() -> None:
    rng = np.random.default_rng(0)
    many = [Curve(f"<{n}>", np.arange(60) < n + 1, rng.random(60)) for n in range(12)]
    text = words(plots.roc(many, [str(i) for i in range(60)], 0))
    assert "The 8 commonest of 12." in text
    assert "<11>" in text
    assert "<3>" not in text


def test_calibration_is_scikit_learns_with_wilsons_intervals() -> None:
    rng = np.random.default_rng(1)
    probability = rng.random(300)
    happened = rng.random(300) < probability
    axes = plots.calibration(probability, happened, "x").axes[0]
    share, mean = calibration_curve(happened, probability, n_bins=plots.N_BINS)
    np.testing.assert_allclose(lines(axes, "")[1], np.c_[mean, share], atol=1e-12)
    n = np.bincount((probability * 10).astype(int))
    (whiskers,) = [each for each in axes.containers if isinstance(each, ErrorbarContainer)]
    bars = np.asarray(whiskers.lines[2][0].get_segments())
    low, high = proportion_confint((share * n).round(), n, method="wilson")
    np.testing.assert_allclose([bar[0][1] for bar in bars], low, atol=1e-6)
    np.testing.assert_allclose([bar[1][1] for bar in bars], high, atol=1e-6)


@given(st.integers(0, 2**31), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_calibration_can_be_drawn_of_whatever_was_predicted(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    probability = rng.choice([0.0, 1.0, 0.1, 0.999999, rng.random()], n)
    axes = plots.calibration(probability, rng.random(n) < 0.5, "x").axes[0]
    assert np.isfinite(lines(axes, "")[1]).all()


def test_colours_of_lines_are_dark_enough_for_white_paper() -> None:
    for colour, _ in plots.LINES[:4]:
        red, green, blue = to_rgb(colour)
        assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.65


def test_a_history_draws_what_was_measured_and_skips_what_was_not() -> None:
    told: list[dict[str, Any]] = [
        {"epoch": 1, "train_loss": 2.0, "validation_auc": 0.5, "rate": 0.1},
        {"epoch": 2, "train_loss": 1.0, "validation_auc": None, "rate": 0.1},
    ]
    above, below = plots_of_training.history(told).axes
    np.testing.assert_array_equal(lines(above, "validation AUC")[0], [[1, 0.5]])
    np.testing.assert_array_equal(lines(below, "train loss")[0], [[1, 2], [2, 1]])


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(EvidenceError, match="nothing to draw"):
        plots_of_training.history([])
    with pytest.raises(EvidenceError, match="nothing to draw"):
        plots_of_training.ladder([], "AUC")


def test_the_limits_of_agreement_are_bland_and_altmans() -> None:
    """Bias 1, differences 0 and 2: standard deviation the root of 2."""
    axes = plots_of_training.bland_altman(np.zeros(2), np.array([0.0, 2.0]), "mm").axes[0]
    heights = sorted({round(float(np.asarray(line.get_ydata())[0]), 4) for line in axes.lines})
    assert heights == [-1.7718, 0, 1, 3.7718]
