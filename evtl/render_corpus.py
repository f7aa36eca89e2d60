"""Imports, change sets, releases and differences as text."""

from collections import Counter
from collections.abc import Iterator, Sequence

from evidence.questions import Answer
from evidence.records import ChangeSet, Imported, Release, RowChange
from evtl.corpus_services import Difference
from evtl.render import Format, answer, table

#: Changed rows that are shown one by one; a table counts the rest.
SHOWN_ROWS = 40


def imported(found: Imported) -> str:
    """What an import brought, or would bring."""
    would = "would be " if found.dry_run else ""
    lines = [f"{found.n_read} rows read"]
    if found.n_new_studies or found.n_known:
        lines.append(f"{found.n_new_studies} new studies, {found.n_known} records known already")
    lines += [
        f"possible duplicate: {pair.study} may be {pair.of} ({pair.rule}); kept apart"
        for pair in found.possible
    ]
    if found.change_set is None:
        lines.append("everything was in the store already; nothing changed")
    elif found.dry_run:
        lines.append(f"{_counts(found.change_set)}; nothing was stored (--dry-run)")
    else:
        lines.append(change_set(found.change_set))
    return "\n".join(line.replace("kept", f"{would}kept") for line in lines)


def _counts(found: ChangeSet) -> str:
    counts = {"added": found.n_added, "changed": found.n_changed, "removed": found.n_removed}
    return ", ".join(f"{count} rows {word}" for word, count in counts.items() if count)


def change_set(found: ChangeSet) -> str:
    """One change set in a line."""
    return f"change set {found.id} by {found.actor}: {_counts(found)} ({found.reason})"


def change_sets(found: Sequence[ChangeSet], form: Format) -> str:
    """Every change set, oldest first."""
    columns = tuple(ChangeSet.model_fields)
    rows = tuple(tuple(each.model_dump().values()) for each in found)
    return answer(Answer(columns, rows, truncated=False), form)


def releases(found: Sequence[Release]) -> str:
    """Releases, oldest first."""
    rows = [[each.tag, each.at, each.actor, each.digest] for each in found]
    return table(["release", "at", "by", "digest (SHA-256)"], rows)


def difference(found: Difference) -> str:
    """What changed, rows first, then advice."""
    return "\n".join(_difference(found))


def _difference(found: Difference) -> Iterator[str]:
    yield f"{found.before} -> {found.after}"
    if not found.rows:
        yield "no row differs, so no recommendation does"
        return
    counts = Counter((change.file, _what(change)) for change in found.rows)
    yield "\nRows"
    yield table(
        ["file", "what", "rows"], [[file, what, str(n)] for (file, what), n in counts.items()]
    )
    for change in found.rows[:SHOWN_ROWS]:
        yield f"  {change.file} ({', '.join(change.key)}): {_detail(change)}"
    if len(found.rows) > SHOWN_ROWS:
        yield f"  ... and {len(found.rows) - SHOWN_ROWS} more; --json has all"
    yield f"\nRecommendations: {len(found.advice)} of {found.n_questions} questions changed"
    if found.advice:
        rows = [
            [each.modality, each.anatomy or "-", str(each.n_images), each.before or "none",
             each.after or "none"]
            for each in found.advice
        ]  # fmt: skip
        yield table(["modality", "anatomy", "images", "before", "after"], rows)


def _what(change: RowChange) -> str:
    column, before, _ = change.columns[0]
    if column != "row":
        return "changed"
    return "added" if before is None else "removed"


def _detail(change: RowChange) -> str:
    if _what(change) != "changed":
        return _what(change)
    return "; ".join(f"{column} {old!r} -> {new!r}" for column, old, new in change.columns)
