"""Published figures recomputed from the rows: each agrees, or says why it does not.

Whether a figure agrees is compared here; why it does not is a person's finding and stands in its
row, so that nothing is bent to fit.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple

from sqlalchemy import Connection

from evidence.codecs import CODECS
from evidence.errors import EvidenceError, QueryRefusedError
from evidence.questions import Answer, answers
from evidence.records import Record
from evidence.store import Store
from evidence.vocabulary import Verdict

#: Unit of a figure that is a set of references; every other unit is a number.
REFERENCES = "references"
#: A number of at most 40 digits and two of an exponent; an exact one of ``1e99999999`` would fill
#: the memory.
_NUMBER = re.compile(r"[+-]?(?!(?:\.?[0-9]){41})[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?", re.I)


class PrintedFigure(Record):
    """One aggregate figure as a review prints it, and the question that its rows answer.

    Attributes
    ----------
    figure : str
        Unique key.
    printed : str
        The bare figure: ``29``, ``8,421``, ``0.81``; ``;``-separated numbers for a set of
        references, empty for an empty set.
    unit : str
        ``percent`` is out of 100; ``references`` makes the figure a set.
    recomputed : str
        What the query gave when the row was written, as `compare` formats it.
    verdict : str
        ``agrees``; ``differs``: the rows give another figure; ``contradicts``: so does another
        passage or table of the review; ``not_answerable``: there is no query.
    cause : str
        Why it does not agree, or ``unknown``.
    query : str
        One SELECT for SQLite and PostgreSQL: the number; its numerator and denominator; or one
        reference a row. Empty where the rows cannot answer.
    """

    figure: str
    review: str
    section: str
    label: str
    printed: str
    unit: str
    recomputed: str
    verdict: Verdict
    cause: str
    query: str


def printed_figures(connection: Connection) -> tuple[PrintedFigure, ...]:
    """Every figure of the store, by key."""
    rows = CODECS["printed_figures.csv"].read(connection)
    return tuple(PrintedFigure.model_validate(rows[key]) for key in sorted(rows))


class Comparison(NamedTuple):
    """What the rows give now beside what is printed.

    `recomputed` stands at the printed precision; `detail` says from what: numerator and
    denominator, or the references that are missing and extra.
    """

    recomputed: str
    agrees: bool
    detail: str


class Reproduction(Record):
    """A printed figure with what its rows give now.

    `changed` means that this is not what they gave when the figure was entered. A figure whose
    query fails is ``not_answerable``, and `detail` says why.
    """

    figure: PrintedFigure
    recomputed: str
    verdict: Verdict
    detail: str
    changed: bool


def compare(printed: str, unit: str, answer: Sequence[Sequence[Any]]) -> Comparison:
    """Compare a printed figure with the rows that its query gave.

    Parameters
    ----------
    printed, unit : str
        As in `PrintedFigure`.
    answer : sequence of rows
        One row of one number, or of numerator and denominator; for references, one a row.

    Raises
    ------
    EvidenceError
        The answer has another shape, holds no number, or divides by zero.
    """
    if unit == REFERENCES:
        return _compared_sets(printed, answer)
    value, detail = _number(unit, answer)
    roundings = _rounded(value, n_decimals=len(printed.partition(".")[2]))
    bare = printed.replace(",", "")
    return Comparison(bare if bare in roundings else roundings[0], bare in roundings, detail)


def _number(unit: str, answer: Sequence[Sequence[Any]]) -> tuple[Fraction, str]:
    """The number of an answer, and what it is a share of."""
    if len(answer) != 1 or len(answer[0]) not in {1, 2}:
        msg = f"{len(answer)} row(s); one row of a number, or of numerator and denominator, is due"
        raise EvidenceError(msg)
    parts = [_exact(value) for value in answer[0]]
    if len(parts) == 1:
        return parts[0], ""
    detail = " of ".join(f"{float(part):.10g}" for part in parts)
    if not parts[1]:
        msg = f"{detail}, which is no share"
        raise EvidenceError(msg)
    return parts[0] / parts[1] * (100 if unit == "percent" else 1), detail


def _exact(value: Any) -> Fraction:
    if not _NUMBER.fullmatch(str(value)):
        msg = f"{value!r:.60}, which is no number of at most 40 digits"
        raise EvidenceError(msg)
    return Fraction(str(value))


def _rounded(value: Fraction, n_decimals: int) -> tuple[str, str]:
    """Rounded half up and half to even; who prints a figure rarely says which."""
    scaled = value * 10**n_decimals
    up, even = floor(scaled + Fraction(1, 2)), round(scaled)
    return _point(up, n_decimals), _point(even, n_decimals)


def _point(scaled: int, n_decimals: int) -> str:
    return f"{Decimal(f'{scaled}E-{n_decimals}'):f}"


def _compared_sets(printed: str, answer: Sequence[Sequence[Any]]) -> Comparison:
    if any(len(row) != 1 for row in answer):
        msg = "several columns; references stand in one column"
        raise EvidenceError(msg)
    expected, found = set(filter(None, printed.split(";"))), {str(row[0]) for row in answer}
    differences = {"missing": expected - found, "extra": found - expected}
    detail = "; ".join(
        f"{word} {', '.join(_ordered(items))}" for word, items in differences.items() if items
    )
    return Comparison(";".join(_ordered(found)), not detail, detail)


def _ordered(references: Iterable[str]) -> list[str]:
    """References by number, not by spelling: 9 before 125."""
    return sorted(references, key=lambda item: (len(item), item))


def reproduce(store: Store, figures: Sequence[PrintedFigure]) -> tuple[Reproduction, ...]:
    """Recompute every figure from the rows of the store, in the order given.

    The queries are rows of the store themselves and may have come with an import: they are asked
    as questions of anybody, which can do nothing but read. One that fails leaves the others
    answered.

    Parameters
    ----------
    figures : sequence of PrintedFigure
        Those without a query come back as not answerable.

    Raises
    ------
    EvidenceError
        Nothing can be asked of this store.
    """
    given = _given(store, [figure.query for figure in figures if figure.query])
    return tuple(
        _reproduced(figure, next(given)) if figure.query else _unasked(figure) for figure in figures
    )


def _given(store: Store, queries: Sequence[str]) -> Iterator[Answer | QueryRefusedError]:
    """What each query gives; those around one that fails are asked without it."""
    while queries:
        try:
            yield from answers(store, queries)
        except QueryRefusedError as error:
            yield from _given(store, queries[: error.position])
            yield error
            queries = queries[error.position + 1 :]
        else:
            return


def _unasked(figure: PrintedFigure) -> Reproduction:
    return Reproduction(
        figure=figure,
        recomputed="",
        verdict=figure.verdict,
        detail="",
        changed=bool(figure.recomputed),
    )


def _reproduced(figure: PrintedFigure, given: Answer | QueryRefusedError) -> Reproduction:
    if isinstance(given, QueryRefusedError):
        return _failed(figure, f"its query fails: {given}")
    try:
        found = compare(figure.printed, figure.unit, given.rows)
    except EvidenceError as error:
        return _failed(figure, f"its query gives {error}")
    return Reproduction(
        figure=figure,
        recomputed=found.recomputed,
        verdict=_verdict(figure.verdict, agrees=found.agrees),
        detail=found.detail,
        changed=found.recomputed != figure.recomputed,
    )


def _failed(figure: PrintedFigure, detail: str) -> Reproduction:
    return Reproduction(
        figure=figure, recomputed="", verdict="not_answerable", detail=detail, changed=True
    )


def _verdict(entered: Verdict, *, agrees: bool) -> Verdict:
    if agrees:
        return "agrees"
    return "contradicts" if entered == "contradicts" else "differs"
