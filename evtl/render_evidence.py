"""Studies, tables, published figures and disagreements as text."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from evidence.disagreements import DisagreementRecord
from evidence.listing import Listing
from evidence.questions import Answer
from evidence.reproduce import Reproduction
from evidence.shelf import StudyLine
from evidence.study_page import ExtractionPage, Fact
from evtl.corpus_services import Disagreements, StudyShown
from evtl.page import coloured
from evtl.render import Format, answer, printable, table, wrapped

COLOURS = {"agrees": "green", "differs": "red", "contradicts": "yellow", "not_answerable": "white"}


def listing(found: Listing, form: Format) -> str:
    """Studies in rows; titles would make a table of text too wide."""
    columns = [name for name in StudyLine.model_fields if (name, form) != ("title", Format.table)]
    rows = tuple(tuple(getattr(line, name) for name in columns) for line in found.studies)
    return answer(Answer(tuple(columns), rows, truncated=False), form)


def study(shown: StudyShown, form: Format) -> str:
    """One study; every format but the table gives its facts in rows."""
    if form is Format.json:
        conflicts = [item.model_dump() for item in shown.conflicts]
        return json.dumps(
            {**shown.page.model_dump(), "conflicts": conflicts}, indent=2, ensure_ascii=False
        )
    if form is not Format.table:
        return answer(_facts(shown), form)
    return "\n".join(_study(shown))


def _facts(shown: StudyShown) -> Answer:
    columns = ("review", "locator", "field", "value", "printed", "column", "table")
    rows = tuple(
        (page.review, page.locator, fact.field, fact.value, fact.printed, fact.column, fact.table)
        for page in shown.page.extractions
        for fact in page.facts
    )
    return Answer(columns, rows, truncated=False)


def _study(shown: StudyShown) -> Iterator[str]:
    page = shown.page
    yield wrapped(f"{page.key}: {page.title or 'title not printed'}")
    yield wrapped(f"  {', '.join(page.authors)} ({page.year or 'n.d.'}). {page.venue}")
    numbers = {"doi": page.doi, "PMID": page.pmid}
    yield from (f"  {name}:{number}" for name, number in numbers.items() if number)
    if page.abstract:
        yield wrapped(f"  {page.abstract}")
    for extraction in page.extractions:
        yield ""
        yield from _extraction(extraction)
    if not page.extractions:
        yield "\nNo review of the store extracted it."
    if shown.conflicts:
        yield "\nWhere its reviews contradict each other"
        for conflict in shown.conflicts:
            yield from _sides(conflict)


def _extraction(page: ExtractionPage) -> Iterator[str]:
    yield wrapped(f"{page.review}, {page.locator}; reference {page.reference} ({page.reading})")
    if page.status == "known":
        yield "  known to this review; nothing was extracted"
    rows = [[fact.field, _short(fact.value), _short(_printed(fact))] for fact in page.facts]
    if rows:
        yield table(["  read", "value", "as printed"], [[f"  {r[0]}", *r[1:]] for r in rows])
    if page.note:
        yield wrapped(f"  note: {page.note}")


def _printed(fact: Fact) -> str:
    return f"{fact.column}: {fact.printed!r}" if fact.column else "-"


def _short(cell: str) -> str:
    """A cell that leaves a table readable; JSON and CSV hold it whole."""
    return textwrap.shorten(cell, 60, placeholder=" ...")


def schema(tables: Sequence[tuple[str, str, int]], form: Format) -> str:
    """Tables and views with a line each."""
    return answer(Answer(("name", "holds", "rows"), tuple(tables), truncated=False), form)


def reproduction(shown: Sequence[Reproduction], found: Sequence[Reproduction]) -> str:
    """Printed and recomputed figures side by side, causes below."""
    rows = [
        [
            item.verdict,
            item.figure.printed or "(none)",
            item.recomputed or ("-" if item.verdict == "not_answerable" else "(none)"),
            item.figure.unit,
            f"{item.figure.review}, {item.figure.section}",
            item.figure.label,
        ]
        for item in shown
    ]
    head, rule, *body = table(
        ["verdict", "printed", "rows give", "unit", "where", "what"], rows
    ).split("\n")
    lines = [head, rule]
    for item, line in zip(shown, body, strict=True):
        lines.append(coloured(item.verdict, COLOURS[item.verdict]) + line[len(item.verdict) :])
    lines += _causes([item for item in shown if item.verdict != "agrees"])
    lines += [
        f"CHANGED  {item.figure.figure}: rows gave {item.figure.recomputed!r} when it was entered"
        for item in shown
        if item.changed
    ]
    counts = Counter((item.figure.review, str(item.verdict)) for item in found)
    reviews = sorted({review for review, _ in counts})
    for review in reviews:
        said = ", ".join(f"{counts[review, word]} {word}" for word in COLOURS)
        lines.append(f"\n{review}: {said}")
    return "\n".join(lines)


def _causes(parted: Sequence[Reproduction]) -> Iterator[str]:
    explained = [item for item in parted if item.figure.cause or item.detail]
    if explained:
        yield "\nWhy"
    for item in explained:
        name = item.figure.figure
        yield wrapped(f"  {name}: {item.figure.cause or 'it agreed when it was entered'}")
        if item.detail:
            yield wrapped(f"    rows: {item.detail}")


def disagreements(found: Disagreements) -> str:
    """Every disagreement with its sides."""
    return "\n".join(_disagreements(found))


def _disagreements(found: Disagreements) -> Iterator[str]:
    titles = {
        "advice": "Contradicting advice",
        "same_study": "The same study, read differently",
        "inside": "Contradictions within one review",
    }
    for kind, title in titles.items():
        of_kind = [item for item in found.found if item.kind == kind]
        if of_kind:
            yield f"{title}\n"
        for item in of_kind:
            yield from _sides(item)
    if found.of_studies:
        yield "Found in the rows: extractions of one study that differ\n"
        for item in found.of_studies:
            yield from _sides(item)
    if not (found.found or found.of_studies):
        yield "no disagreement bears on this"


def _sides(item: DisagreementRecord) -> Iterator[str]:
    yield f"  {coloured(printable(item.key), 'yellow')} ({printable(item.topic)})"
    for side in item.sides:
        about = f" [{', '.join(side.modality)}]" if side.modality else ""
        study_key = f", study {side.study_key}" if side.study_key else ""
        yield wrapped(f"    {side.review}, {side.section}{study_key}{about}: {side.statement}")
    yield ""
