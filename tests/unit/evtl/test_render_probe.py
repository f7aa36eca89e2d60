"""What a probe tried is shown whole, or counted; what it did not try, with the reason."""

import pytest

from evtl.probing import why_nothing
from evtl.render_probe import SHOWN, reasons, tried
from recommender.plan import PROBED
from trainer.probing.ledger import OUT_OF_BUDGET
from trainer.probing.probe_report import (
    Configuration,
    Fidelity,
    Paired,
    ProbeReport,
    Skipped,
    Trial,
)

ALL = tuple(
    Configuration(backbone=backbone, approach=approach, head=head)
    for backbone in ("one", "two", "three")
    for approach, head in PROBED
)
DAMAGED = "2 image(s) cannot be read; repair or remove them:\n  a.png: empty\n  b.png: empty"


def trial(what: Configuration, value: float, images: int = 100, *, alone: bool = False) -> Trial:
    pair = None if alone else Paired(against=ALL[0], difference=value - 0.9, se=0.0125)
    used = Fidelity(images=images, epochs=0 if what.frozen else 3, folds=3, share=0.5)
    return Trial(**what.model_dump(), fidelity=used, value=value, se=0.025, paired=pair, seconds=7)


def report(*trials: Trial, skipped: tuple[Skipped, ...] = ()) -> ProbeReport:
    return ProbeReport(
        seed=0, n_images=240, budget_s=60, spent_s=41.6, wall_s=1, cpu_s=1, candidates=ALL,
        trials=trials, skipped=skipped,
    )  # fmt: skip


def text(found: ProbeReport) -> str:
    return "\n".join(tried(found.model_dump(mode="json")))


def left_out(*why: str) -> tuple[Skipped, ...]:
    return tuple(
        Skipped(**one.model_dump(), reason=reason) for one, reason in zip(ALL, why, strict=False)
    )


def test_every_trial_stands_beside_what_it_was_tried_with() -> None:
    told = text(report(trial(ALL[0], 0.9, alone=True), trial(ALL[1], 0.8)))
    row = next(line for line in told.splitlines() if ALL[1].head in line and "0.800" in line)
    for word in ("one", ALL[1].approach, "100", "0.800 (0.025)", "-0.100 (0.013)", "7.0"):
        assert word in row
    assert f"{ALL[0].backbone}, {ALL[0].head}" in row
    assert "41.6 of 60 s were spent, on 240 images; the test part was not opened" in told


def test_what_the_trials_speak_for_stands_first() -> None:
    told = text(report(trial(ALL[1], 0.7), trial(ALL[0], 0.9, alone=True)))
    first = next(line for line in told.splitlines() if line.startswith("1  "))
    assert "0.900" in first


def test_of_a_long_list_the_first_are_shown_and_the_rest_counted() -> None:
    trials = [trial(one, 0.9 - n / 50, alone=not n) for n, one in enumerate(ALL)]
    earlier = [trial(one, 0.5, images=20) for one in ALL[:3]]
    told = text(report(*earlier, *trials))
    assert sum(line[:1].isdigit() for line in told.splitlines()) == SHOWN
    assert f"and {len(ALL) - SHOWN} configurations more" in told
    assert "and 3 trials of the same on less" in told
    assert "0.500" not in told


def test_reasons_are_counted_the_commonest_first() -> None:
    skipped = left_out(OUT_OF_BUDGET, "no weights", OUT_OF_BUDGET)
    found = report(trial(ALL[5], 0.9, alone=True), skipped=skipped)
    assert reasons(found) == [(OUT_OF_BUDGET, 2), ("no weights", 1)]
    assert "3 candidates not tried: out of budget (2); no weights (1)" in text(found)


def test_what_was_never_begun_hides_no_reason() -> None:
    found = report(skipped=left_out(*[OUT_OF_BUDGET] * 5, DAMAGED))
    told = text(found)
    assert "nothing could be tried" in told
    assert OUT_OF_BUDGET not in told
    assert "6 candidates not tried: 2 image(s) cannot be read" in told
    assert "b.png: empty" in told
    assert why_nothing(found) == (
        "nothing could be tried on these images: 2 image(s) cannot be read; repair or remove them"
    )


@pytest.mark.parametrize("n_trials", [0, 1])
def test_a_budget_that_was_too_small_is_said_to_be(n_trials: int) -> None:
    found = report(
        *[trial(ALL[0], 0.9, alone=True)] * n_trials, skipped=left_out(*[OUT_OF_BUDGET] * 3)
    )
    assert "3 candidates not tried: out of budget" in text(found)
    told = "1 trial on these images told nothing" if n_trials else "tried on these images: out of"
    assert told in why_nothing(found)
