"""What a probe tried on the user's images, in words."""

from collections import Counter
from collections.abc import Iterator

from pydantic import JsonValue

from evtl.render import table
from recommender.doubt import counted
from recommender.plan import how
from trainer.probing.ledger import OUT_OF_BUDGET
from trainer.probing.probe_report import Configuration, ProbeReport, Trial, decide, named

#: Configurations, and reasons for what was not tried, that are shown.
SHOWN, REASONS = 8, 3


def tried(probe: JsonValue) -> Iterator[str]:
    """The trials, the one that they speak for first, and what was left out."""
    report = ProbeReport.model_validate(probe)
    yield "\nTried on your images"
    last = {named(trial): trial for trial in report.trials}
    order = [last[each] for each in decide(report) if each in last]
    # A reference need not be a candidate itself.
    order += [trial for each, trial in last.items() if each not in report.candidates]
    if order:
        yield _trials(order[:SHOWN])
        yield from _rest(report, order)
    else:
        yield "  nothing could be tried"
    yield (
        f"  {report.spent_s:.1f} of {report.budget_s:g} s were spent, on "
        f"{counted(report.n_images, 'image')}; the test part was not opened"
    )
    yield from _skipped(report)


def _trials(shown: list[Trial]) -> str:
    rows = [
        [
            str(number), trial.backbone, how(trial.approach, trial.initialisation), trial.head,
            str(trial.fidelity.images), str(trial.fidelity.epochs), str(trial.fidelity.folds),
            f"{trial.value:.3f} ({trial.se:.3f})", *_beside(trial), f"{trial.seconds:.1f}",
        ]
        for number, trial in enumerate(shown, 1)
    ]  # fmt: skip
    return table(
        ["", "backbone", "approach", "head", "images", "epochs", "folds", "AUC (error)",
         "difference", "to", "seconds"],
        rows,
    )  # fmt: skip


def _beside(trial: Trial) -> tuple[str, str]:
    if trial.paired is None:
        return "", ""
    pair = trial.paired
    return f"{pair.difference:+.3f} ({pair.se:.3f})", _short(pair.against)


def _short(one: Configuration) -> str:
    return f"{one.backbone}, {one.head}"


def _rest(report: ProbeReport, order: list[Trial]) -> Iterator[str]:
    if (n_more := len(order) - SHOWN) > 0:
        yield f"  and {counted(n_more, 'configuration')} more, which came out behind these"
    if (n_earlier := len(report.trials) - len(order)) > 0:
        yield f"  and {counted(n_earlier, 'trial')} of the same on less before these"
    yield (
        "  error: standard error, of groups where there are any; difference: of AUC, on the same "
        "images as what it was tried with"
    )


def _skipped(report: ProbeReport) -> Iterator[str]:
    if not report.skipped:
        return
    found = reasons(report)
    told = "; ".join(
        f"{reason} ({n})" if len(found) > 1 else reason for reason, n in found[:REASONS]
    )
    others = len(found) - REASONS
    more = f"; and {counted(others, 'other reason')}" if others > 0 else ""
    yield f"  {counted(len(report.skipped), 'candidate')} not tried: {told}{more}"


def reasons(report: ProbeReport) -> list[tuple[str, int]]:
    """Why candidates were not tried, the commonest reason first, with how many it kept out.

    Where nothing was tried, what was never begun stands in the report as out of budget: any other
    reason is the true one.
    """
    found = Counter(" ".join(each.reason.split()) for each in report.skipped)
    if not report.trials and len(found) > 1:
        found.pop(OUT_OF_BUDGET, None)
    return found.most_common()
