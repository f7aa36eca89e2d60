"""Random corpora: valid rows for every corpus file, pointing to each other, with odd texts."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import String, Table, Text

from evidence import schema
from evidence.benchmark_rows import ShippedRunRow
from evidence.codecs import CODECS
from evidence.crosswalk import TARGETS
from evidence.ingest import Line
from evidence.notation import STAGES, items
from evidence.review_rows import WORDED_FACTS
from evidence.rows import Row
from evidence.tables import Codec
from evidence.vocabulary import ANATOMY, MODALITY, RATES, Approach, Head, Initialisation, Task

Cells = dict[str, str]
Tables = dict[str, list[Cells]]
#: Keys of the rows that others may point to.
Known = dict[Table, list[str]]
Strategy = st.SearchStrategy[str]
#: Pieces that files, databases and spreadsheets are known to stumble over.
ODD = (
    "=1+1", "@x", "+1", "-", ",", '"', '""', "'", "\n", "\r", "\r\n", "\t", " ", "\\", "%", "|",
    "\x01", "\x1c", "\x1f", "\x7f", "\x85", "\u00a0", "\u200b", "\u2028", "\ufeff", "\ufffd",
    "\U0001f9e0", "\u0301", "e\u0301", "\u00e9", "\u00df", "\u05d0", "\u0661", "\u0416", "\u4e2d",
    "NULL", "None", "nan", "0", "01", "1", "2", "10", "a", "A", "Z",
)  # fmt: skip
#: Keys that rows of several corpora share.
KEYS = ("=1+1", "1", "01", "\u0661", "e\u0301,\r", "2")
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.one_of(
    st.sampled_from(("", *ODD)),
    st.lists(st.sampled_from(ODD), max_size=4).map("".join),
    st.text(LETTERS, max_size=4),
)
NAMED = TEXT.map(lambda text: text if text.strip() else f"{text}x")
#: An item of a list cell, or a backbone of an arm: without what separates them.
PLAIN = NAMED.map(lambda text: text.replace(";", ",").replace("/", "|"))
#: Cells of numbers; the largest that a column of 31 bits holds is among them.
NUMBER = (st.integers(2, 3000) | st.just(2**31 - 1)).map(str)


def _listed(items: Strategy, least: int = 0, most: int = 2) -> Strategy:
    separators = st.sampled_from([";", "; ", " ;", ";;"])
    found = st.lists(items, min_size=least, max_size=most)
    return st.builds(lambda by, words: by.join(words), separators, found)


def _terms(vocabulary: Any) -> Strategy:
    return st.sampled_from([term.key for term in vocabulary.terms])


DECIMAL = st.integers(0, 10**6).map(lambda n: f"{n / 10**6:.6f}")
BOUNDS = st.lists(st.integers(0, 999), min_size=2, max_size=2, unique=True).map(sorted)
EVALUATION = st.one_of(
    st.builds("{}{}{}".format, st.sampled_from(sorted(RATES)), st.sampled_from("=>"), DECIMAL),
    st.builds("mae {} {}".format, st.sampled_from("=>"), st.integers(0, 10**12 - 1)),
    BOUNDS.map(lambda pair: "auc=0.{:03}..0.{:03}".format(*pair)),
)
COUNT = st.builds(
    "{} {} {}".format, st.sampled_from(STAGES), st.integers(0, 10**18 - 1),
    st.sampled_from(["images", "\u0431", "\u0661"]),
)  # fmt: skip
#: Arms of a row; a number says which backbone.
PARTS = [st.sampled_from(["", *get_args(words)]) for words in (Approach, Initialisation, Head)]
ARM = st.sampled_from("012") | st.tuples(st.sampled_from("012"), *PARTS).map("/".join)
SIDE = st.integers(1, 999_999)
SIZE = st.builds("{}x{}".format, SIDE, SIDE) | st.builds(
    "{}x{}x{}".format, SIDE, SIDE, st.integers(1, 9999)
)
#: Columns whose text follows rules that their type does not tell.
BY_NAME: dict[str, Strategy] = {
    "year": st.integers(1990, 2100).map(str),
    "doi": st.just("") | st.integers(0, 9).map("10.1000/{}".format),
    "pmid": st.just("") | st.integers(0, 9).map(str),
    "databases": _listed(PLAIN),
    "authors": _listed(PLAIN, 1, 5),
    "aliases": _listed(PLAIN),
    "software": _listed(PLAIN),
    "hardware": _listed(PLAIN),
    "modality": st.just("") | _terms(MODALITY),
    "anatomy": _listed(_terms(ANATOMY)),
    "task": _listed(st.sampled_from(get_args(Task))),
    "counts": _listed(COUNT),
    "evaluations": _listed(EVALUATION),
    "image_size_px": _listed(SIZE),
}
BY_FILE: dict[tuple[str, str], Strategy] = {
    ("backbones.csv", "backbone"): PLAIN.map(lambda text: text[:60]),
    ("backbones.csv", "imagenet_top1"): st.just("") | st.floats(0.001, 1).map(str),
    ("studies.csv", "backbone"): st.just("") | _listed(ARM, 1),
    ("studies.csv", "benchmarks"): _listed(ARM),
    ("disagreements.csv", "modality"): _listed(_terms(MODALITY)),
    ("crosswalk.csv", "anatomy"): st.just("") | _terms(ANATOMY),
    ("agreement.csv", "value"): st.floats(-1, 1).map(str),
    ("benchmark_tables.csv", "arxiv"): st.just("")
    | st.integers(10_000, 99_999).map("2412.{}".format),
    ("benchmark_datasets.csv", "anatomy"): st.just("") | _terms(ANATOMY),
    ("benchmark_datasets.csv", "task"): st.sampled_from(get_args(Task)),
    ("benchmarks.csv", "value"): st.floats(0, 1).map(str),
    ("benchmarks.csv", "cpu_s"): st.just("") | st.floats(0, 10**9).map(str),
    **{("runs.csv", name): st.floats(0, 1).map(str) for name in ShippedRunRow.metrics},
    ("runs.csv", "seconds"): st.floats(0.01, 10**9).map(str),
    ("runs.csv", "cpu_s"): st.floats(0, 10**9).map(str),
    ("runs.csv", "peak_memory_mb"): st.just("") | st.floats(0.01, 10**9).map(str),
    ("printed_figures.csv", "printed"): st.sampled_from(["0", "-1.50", "1,234.5", "7;8;9"]),
    ("printed_figures.csv", "query"): st.sampled_from(["SELECT\n1", "with x as (y) select z"]),
    ("readings.csv", "field"): st.sampled_from(["note", "row_label", "image_type"]),
    ("readings.csv", "value"): NAMED,
}


# ---- what of one row depends on other cells of it


def _study(cells: Cells) -> Cells:
    if not cells["backbone"]:
        blank = dict.fromkeys(("approach", "initialisation", "head", "layers_unfrozen"), "")
        cells |= {"status": "known", **blank}
    if cells["n_images"] and cells["n_augmented"]:
        cells["n_augmented"] = cells["n_images"]
    return cells


def _figure(cells: Cells) -> Cells:
    asked = "" if cells["verdict"] == "not_answerable" else cells["query"] or "SELECT 1"
    cells = cells | {"printed": cells["printed"] or "1", "query": asked}
    return cells | {
        "cause": "" if cells["verdict"] == "agrees" else cells["cause"].strip() or "unknown"
    }


def _fact(cells: Cells) -> Cells:
    if cells["fact"] in WORDED_FACTS:
        return cells | {"value": f"deep {cells['value']}", "unit": ""}
    return cells | {"value": "16.5", "unit": cells["unit"] or "layers"}


def _side(cells: Cells) -> Cells:
    if cells["claim"]:
        return cells | {"statement": "", "section": ""}
    return cells | {name: cells[name].strip() or "-" for name in ("statement", "section")}


def _category(cells: Cells) -> Cells:
    foreign = {name for names in TARGETS.values() for name in names} - {*TARGETS[cells["field"]]}
    return cells | dict.fromkeys(foreign, "") | {"note": cells["note"].strip() or "-"}


def _result(cells: Cells) -> Cells:
    pretrained = cells["initialisation"] == "pretrained"
    return cells | {"pretraining": (cells["pretraining"].strip() or "-") if pretrained else ""}


def _run(cells: Cells) -> Cells:
    frozen, partial = cells["approach"].startswith("feature"), cells["approach"] == "fine_tuning"
    fitted = {
        "epochs": "" if frozen else cells["epochs"] or "6",
        "n_blocks": (cells["n_blocks"] or "2") if partial else "",
    }
    for name in ShippedRunRow.metrics:
        said = cells[f"{name}_low"] or cells[f"{name}_high"]
        fitted |= {f"{name}_low": "0" if said else "", f"{name}_high": "1" if said else ""}
    return cells | fitted


FITTED: dict[str, Callable[[Cells], Cells]] = {
    "studies.csv": _study,
    "backbones.csv": lambda cells: (
        cells | {"imagenet_source": "a table" if cells["imagenet_top1"] else ""}
    ),
    "printed_figures.csv": _figure,
    "agreement.csv": lambda cells: (
        cells | {"statistic": "cohen_kappa" if cells["value"] else "none"}
    ),
    "backbone_facts.csv": _fact,
    "disagreements.csv": _side,
    "crosswalk.csv": _category,
    "benchmarks.csv": _result,
    "runs.csv": _run,
    "readings.csv": lambda cells: cells | {"value": cells["value"].strip() or "-"},
    "field_sources.csv": lambda cells: (
        cells | {"statement": "" if cells["column"].strip() else cells["statement"].strip() or "-"}
    ),
    "screening.csv": lambda cells: cells | {"reason": cells["reason"].strip() or "-"},
}


# ---- rows


def _leaves(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of; a Literal is one."""
    if get_origin(annotation) is Literal or not get_args(annotation):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _leaves(part)


@cache
def _adapter(file: str, column: str) -> TypeAdapter[Any]:
    field = CODECS[file].model.model_fields[column]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


def _is_allowed(file: str, column: str, text: str) -> bool:
    """Whether a column may hold a text, whatever stands in the others."""
    strips = CODECS[file].model.model_config["str_strip_whitespace"]
    try:
        _adapter(file, column).validate_python(text.strip() if strips else text)
    except ValidationError:
        return False
    return True


def _target(file: str, column: str) -> Table | None:
    """Table that a column points to, where its rows are of a corpus file."""
    codec = CODECS[file]
    own = codec.table.c.get(codec.names.get(column, column))
    if own is None:
        return None
    tables = {each.table for each in CODECS.values()}
    return next((k.column.table for k in own.foreign_keys if k.column.table in tables), None)


def _blank(file: str, column: str) -> Strategy:
    return st.just("") if _is_allowed(file, column, "") else st.nothing()


def _candidates(file: str, column: str) -> Strategy:
    if _target(file, column) is not None:
        return _blank(file, column) | st.sampled_from("012")  # which of the rows
    found = BY_FILE.get((file, column), BY_NAME.get(column))
    if found is not None:
        return found
    codec = CODECS[file]
    leaves = list(_leaves(codec.model.model_fields[column].annotation))
    if words := [word for leaf in leaves if get_origin(leaf) is Literal for word in get_args(leaf)]:
        return _blank(file, column) | st.sampled_from(words)
    if int in leaves:
        return _blank(file, column) | NUMBER
    own = codec.table.c.get(codec.names.get(column, column))
    kind = None if own is None else own.type
    most = kind.length if isinstance(kind, String) and not isinstance(kind, Text) else None
    texts = TEXT if _is_allowed(file, column, "") else NAMED
    return texts.map(lambda text: text[:most])


@cache
def cell(file: str, column: str) -> Strategy:
    """What one column may hold; of a column that points to rows, which of them."""
    return _candidates(file, column).filter(lambda text: _is_allowed(file, column, text))


@cache
def _plain_row(file: str) -> Cells:
    """The plainest cells that are allowed."""
    plain = ("", "0", "a", "1", "2000", "systematic", "human", "extracted", "as_printed", "all")
    literals = {
        column: [str(w) for leaf in _leaves(field.annotation) for w in get_args(leaf)]
        for column, field in CODECS[file].model.model_fields.items()
    }
    return {
        column: next(t for t in (*plain, *words) if _is_allowed(file, column, t))
        for column, words in literals.items()
    }


def _key_cell(file: str, column: str) -> Strategy:
    """Mostly one of a few, so that two corpora have rows in common."""
    few = [text for text in KEYS if _is_allowed(file, column, text)]
    fixed = _target(file, column) is not None or (file, column) == ("readings.csv", "field")
    return cell(file, column) if fixed or not few else st.sampled_from(few) | cell(file, column)


@cache
def _row(file: str) -> st.SearchStrategy[Cells]:
    """A plain row but for its key and a few cells; references are still numbers."""
    model = CODECS[file].model
    key = st.fixed_dictionaries({column: _key_cell(file, column) for column in model.natural_key})
    rest = [name for name in model.model_fields if name not in model.natural_key]
    some = st.one_of([st.tuples(st.just(column), cell(file, column)) for column in rest])
    odd = st.lists(some, min_size=len(rest) // 4, max_size=len(rest)).map(dict)
    return st.builds(lambda by, other: _plain_row(file) | other | by, key, odd)


def _linked(file: str, cells: Cells, known: Known) -> Cells:
    """Cells with keys in place of the numbers of rows."""

    def key(table: Table, number: str) -> str:
        return known[table][int(number) % len(known[table])] if number else ""

    found = dict(cells)
    for column, number in cells.items():
        if (table := _target(file, column)) is not None:
            found[column] = key(table, number)
    if file == "studies.csv":
        for column in ("backbone", "benchmarks"):
            arms = (arm.partition("/") for arm in items(cells[column]))
            found[column] = ";".join(key(schema.backbone, n) + "/" + how for n, _, how in arms)
    return FITTED.get(file, dict)(found)


#: Files that others point to.
PARENTS = (
    "reviews.csv", "publications.csv", "backbones.csv", "printed_figures.csv", "claims.csv",
    "benchmark_tables.csv", "benchmark_datasets.csv",
)  # fmt: skip


@st.composite
def corpora(draw: st.DrawFn, most: int = 2) -> Tables:
    """Cells of a few rows of every file."""
    tables: Tables = {}
    known: Known = {}
    for name, codec in CODECS.items():
        drawn = draw(st.lists(_row(name), min_size=int(name in PARENTS), max_size=most))
        rows = [_linked(name, cells, known) for cells in drawn]
        tables[name] = list(_without_repetition(codec, rows))
        known[codec.table] = [_checked(codec, row).key[0] for row in tables[name]]
    return tables


def _checked(codec: Codec, cells: Cells) -> Row:
    return codec.model.model_validate(cells)


def _without_repetition(codec: Codec, rows: Iterable[Cells]) -> Iterator[Cells]:
    """The rows, each key once, without what another row has that only one may have."""
    seen: set[tuple[str, ...]] = set()
    for cells in rows:
        own = dict(cells)
        for column in {"doi", "pmid", "aliases"} & cells.keys():
            words = [(column, word) for word in items(cells[column])]
            if len({*words}) < len(words) or seen & {*words}:
                own[column] = ""
            seen |= {*words}
        key = ("key", *_checked(codec, own).key)
        if key not in seen:
            seen.add(key)
            yield own


def lines(tables: Tables) -> dict[str, list[Line]]:
    """The rows as the store takes them."""
    return {
        name: [Line(name, n, _checked(CODECS[name], cells)) for n, cells in enumerate(rows, 2)]
        for name, rows in tables.items()
    }
