"""How good the advice is, as text."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from evtl.render import table, wrapped
from recommender.calibration import Coverage
from recommender.corpus_evaluation import (
    CorpusEvaluation,
    CorpusScore,
    FittedShrinkage,
    Studies,
)
from recommender.corpus_leaks import LeakCheck
from recommender.corpus_scores import METRICS

NOTES = (
    "top1, top3: share of what a study used among the one or three likeliest labels, ties broken "
    "at random; log_loss in nats, lower is better. In brackets 95% bootstrap intervals over "
    "studies. A difference to the constant is named where its interval excludes 0.",
    "Where two labels are about as common, leaving a study out makes its own label the rarer "
    "one: the top1 of the constant then lies below that label's share, and to do better than "
    "the constant is no feat.",
    "What authors used is not what works best.",
)


def corpus(found: CorpusEvaluation) -> str:
    """Tables of all populations, and what may be said of them."""
    return "\n".join(_paragraphs(found))


def _paragraphs(found: CorpusEvaluation) -> Iterator[str]:
    for studies in found.populations:
        yield f"{_heading(studies)}\n"
        yield _scores([row for row in found.scores if row.population == studies.name])
        yield ""
    yield from (wrapped(note) for note in NOTES)
    yield from (wrapped(line) for line in _verdicts(found.scores))
    yield "\nNeighbours beside the whole corpus: what all studies would choose\n"
    yield _fitted(found.fitted)
    yield "\nIntervals for what a further study reports: how often they hold it\n"
    yield _coverage(found.coverage)
    if found.leaks:
        yield "\nPermuted labels: gain over a study drawn at random, with its lower 95% bound\n"
        yield _leaks(found.leaks)


def _heading(studies: Studies) -> str:
    taken = "" if studies.n_taken == studies.n_studies else f", {studies.n_taken} of them taken"
    return (
        f"{studies.name}: {studies.n_studies} studies{taken}, {studies.n_asked} give what a "
        "question needs"
    )


def _scores(rows: Sequence[CorpusScore]) -> str:
    columns = ["target", "predictor", "n", *METRICS, "against the constant"]
    cells = []
    for (target, predictor), group in groupby(rows, lambda row: (row.target, row.predictor)):
        metrics = list(group)
        values = [f"{row.value:.3f} ({row.low:.2f}-{row.high:.2f})" for row in metrics]
        cells.append([target, predictor, str(metrics[0].n), *values, _against(metrics)])
    return table(columns, cells)


def _against(rows: Sequence[CorpusScore]) -> str:
    if rows[0].verdict is None:
        return ""
    told = [f"{row.metric} {row.verdict}" for row in rows if row.verdict != "not told apart"]
    return ", ".join(told) or "not told apart"


def _verdicts(rows: Sequence[CorpusScore]) -> Iterator[str]:
    own = [row for row in rows if row.predictor == "recommender"]
    for verdict in ("worse", "better"):
        told = [f"{row.population} {row.target} {row.metric}" for row in own
                if row.verdict == verdict]  # fmt: skip
        yield f"The recommender is significantly {verdict} than the constant in: " + (
            ", ".join(told) or "nothing"
        )


def _fitted(rows: Sequence[FittedShrinkage]) -> str:
    columns = ["studies", "target", "k", "prior studies", "log_loss", "constant", "lowest at"]
    cells = [
        [row.population, row.target, _number(row.k), _number(row.prior_studies),
         f"{row.log_loss:.3f}", f"{row.constant_log_loss:.3f}",
         f"{row.lowest_log_loss:.3f}, k {_number(row.lowest_k)}, "
         f"prior {_number(row.lowest_prior_studies)}"]
        for row in rows
    ]  # fmt: skip
    return table(columns, cells)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _coverage(rows: Sequence[Coverage]) -> str:
    columns = ["interval", "metric", "promised", "covered", "n", "mean width", "sharpness"]
    cells = [
        [row.method, row.metric, f"{row.nominal:.2f}",
         f"{row.covered:.2f} ({row.low:.2f}-{row.high:.2f})", str(row.n),
         f"{row.mean_width:.3f}", _number(row.sharpness)]
        for row in rows
    ]  # fmt: skip
    return table(columns, cells)


def _leaks(rows: Sequence[LeakCheck]) -> str:
    columns = ["studies", "target", "predictor", "times", "top1", "log_loss", "leak"]
    cells = [
        [row.population, row.target, row.predictor, str(row.n_permutations),
         f"{row.top1_gain:+.3f} ({row.top1_low:+.3f})",
         f"{row.log_loss_gain:+.3f} ({row.log_loss_low:+.3f})", "yes" if row.caught else "no"]
        for row in rows
    ]  # fmt: skip
    return table(columns, cells)
