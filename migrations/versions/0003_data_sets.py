"""Data sets, authors, software and vocabularies as tables of their own; natural keys.

The rows are carried both ways: they are read, the tables are made anew, the rows written in their
new form. Nothing of a store of the older form is lost; on the way back an empty year is written as
0, a missing DOI of a review as its key, and the fields that the older form has no column for
(PubMed number, volume, pages, keywords, abstract) are left out.
"""

from collections.abc import Callable
from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    select,
)

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
APPROACHES = (
    "feature_extractor feature_extractor_hybrid fine_tuning fine_tuning_from_scratch none "
    "unspecified"
)
#: The tables as they stood before, and as they stand after.
OLD, NEW = MetaData(naming_convention=NAMES), MetaData(naming_convention=NAMES)


def _one_of(column: str, words: str) -> CheckConstraint:
    listed = ", ".join(f"'{word.strip('-')}'" for word in words.split())
    return CheckConstraint(f"{column} IN ({listed})", name=column)


Table(
    "review",
    OLD,
    Column("key", String(40), primary_key=True),
    Column("title", Text, nullable=False),
    Column("authors", Text, nullable=False),
    Column("journal", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("volume", String(20), nullable=False),
    Column("pages", String(40), nullable=False),
    Column("doi", String(200), nullable=False, unique=True),
    Column("review_type", String(20), nullable=False),
    Column("window_start", String(10), nullable=False),
    Column("window_end", String(10), nullable=False),
    Column("databases", Text, nullable=False),
    Column("n_included", Integer),
    Column("n_included_note", Text, nullable=False),
    Column("agreement", Text, nullable=False),
)

Table(
    "study",
    OLD,
    Column("key", String(80), primary_key=True),
    Column("first_author", Text, nullable=False),
    Column("authors", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("title", Text),
    Column("venue", Text, nullable=False),
    Column("doi", String(200), unique=True),
    Column("cited_from", Text, nullable=False),
)

Table(
    "backbone",
    OLD,
    Column("name", String(60), primary_key=True),
    Column("family", String(60), nullable=False),
    Column("library", String(20), nullable=False),
    Column("model", String(120), nullable=False),
    Column("input_px", Integer),
    Column("n_parameters", Integer),
    Column("n_macs", BigInteger),
    Column("year", Integer),
    Column("note", Text, nullable=False),
)

Table(
    "backbone_alias",
    OLD,
    Column("alias", String(60), primary_key=True),
    Column("backbone", ForeignKey("backbone.name"), nullable=False),
)

Table(
    "extraction",
    OLD,
    Column("id", Integer, primary_key=True),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("study", ForeignKey("study.key"), nullable=False),
    Column("status", String(10), nullable=False),
    Column("locator_table", String(40), nullable=False),
    Column("position", Integer, nullable=False),
    Column("row_label", Text, nullable=False),
    Column("ref_printed", String(20), nullable=False),
    Column("ref", String(20), nullable=False),
    Column("reading", String(12), nullable=False),
    Column("year", Integer, nullable=False),
    Column("image_type", Text, nullable=False),
    Column("modality", String(40)),
    Column("objective", Text, nullable=False),
    Column("subject", String(10), nullable=False),
    Column("approach_as_printed", Text, nullable=False),
    Column("class_type", String(12), nullable=False),
    Column("n_classes", Integer),
    Column("n_images", Integer),
    Column("n_augmented", Integer),
    Column("augmentation", String(10), nullable=False),
    Column("visualization", String(30), nullable=False),
    Column("veracity", String(30), nullable=False),
    Column("n_experts", Integer),
    Column("preprocessing", String(10), nullable=False),
    Column("image_size_px", String(60), nullable=False),
    Column("n_datasets", Integer),
    Column("specialist_comparison", String(10), nullable=False),
    Column("n_specialists", Integer),
    Column("traditional_comparison", String(10), nullable=False),
    Column("software", Text, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("team", String(20), nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("review", "study"),
    CheckConstraint("status IN ('extracted', 'known')", name="status"),
    CheckConstraint("reading IN ('as_printed', 'repaired', 'inferred')", name="reading"),
    CheckConstraint("n_images > 0 AND n_classes > 1", name="counts"),
    _one_of("augmentation", "none offline online both yes unknown"),
    _one_of("class_type", "binary categorical numeric -"),
    _one_of(
        "visualization", "none heatmap deconvolution activation_maximization unspecified unknown"
    ),
)

Table(
    "extraction_anatomy",
    OLD,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("anatomy", String(40), nullable=False),
)

Table(
    "extraction_task",
    OLD,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("task", String(20), nullable=False),
    _one_of("task", "classification regression detection"),
)

Table(
    "sample_count",
    OLD,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("stage", String(12), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("unit", String(20), nullable=False),
    CheckConstraint("stage IN ('initial', 'positive', 'train_val', 'test')", name="stage"),
)

Table(
    "arm",
    OLD,
    Column("id", Integer, primary_key=True),
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("role", String(10), nullable=False),
    Column("backbone", ForeignKey("backbone.name"), nullable=False),
    Column("approach", String(30), nullable=False),
    Column("initialisation", String(12), nullable=False),
    Column("head", String(20), nullable=False),
    Column("layers_unfrozen", Text, nullable=False),
    UniqueConstraint("extraction", "position"),
    _one_of("role", "winner used benchmark"),
    _one_of(
        "approach",
        APPROACHES,
    ),
    _one_of("initialisation", "pretrained random unspecified"),
    _one_of("head", "linear svm random_forest knn lda svr unspecified"),
)

Table(
    "evaluation",
    OLD,
    Column("id", Integer, primary_key=True),
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), nullable=False),
    Column("arm", ForeignKey("arm.id", ondelete="CASCADE")),
    Column("position", Integer, nullable=False),
    Column("metric", String(20), nullable=False),
    Column("operator", String(5), nullable=False),
    Column("value", Float, nullable=False),
    Column("value_high", Float),
    UniqueConstraint("extraction", "position"),
    _one_of("metric", "accuracy balanced_accuracy auc sensitivity specificity precision dice mae"),
    _one_of("operator", "= > range"),
    CheckConstraint("metric = 'mae' OR (value >= 0 AND value <= 1)", name="rate"),
    CheckConstraint("(operator = 'range') = (value_high IS NOT NULL)", name="range"),
)

Table(
    "printed_cell",
    OLD,
    Column("id", Integer, primary_key=True),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("study", ForeignKey("study.key"), nullable=False),
    Column("locator_table", String(40), nullable=False),
    Column("row_label", Text, nullable=False),
    Column("ref_printed", String(20), nullable=False),
    Column("column_name", String(40), nullable=False),
    Column("printed", Text, nullable=False),
    UniqueConstraint("review", "study", "locator_table", "column_name"),
)

Table(
    "claim",
    OLD,
    Column("key", String(60), primary_key=True),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("topic", String(40), nullable=False),
    Column("section", Text, nullable=False),
    Column("statement", Text, nullable=False),
    Column("value", String(20), nullable=False),
    Column("unit", String(20), nullable=False),
    Column("note", Text, nullable=False),
    _one_of("kind", "advice prevalence finding caution count"),
)

Table(
    "review",
    NEW,
    Column("key", String(40), primary_key=True),
    Column("title", Text, nullable=False),
    Column("authors", Text, nullable=False),
    Column("journal", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("volume", String(20), nullable=False),
    Column("pages", String(40), nullable=False),
    Column("doi", String(200), unique=True),
    Column("review_type", String(20), nullable=False),
    _one_of("review_type", "scoping systematic literature review living"),
    Column("window_start", String(10), nullable=False),
    Column("window_end", String(10), nullable=False),
    Column("n_included", Integer),
    Column("n_included_note", Text, nullable=False),
    Column("agreement", Text, nullable=False),
)

Table(
    "review_database",
    NEW,
    Column("review", ForeignKey("review.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

Table(
    "study",
    NEW,
    Column("key", String(80), primary_key=True),
    Column("first_author", Text, nullable=False),
    Column("year", Integer),
    Column("title", Text),
    Column("venue", Text, nullable=False),
    Column("doi", String(200), index=True),
    Column("pmid", String(20), index=True),
    Column("volume", Text, nullable=False, server_default=""),
    Column("pages", Text, nullable=False, server_default=""),
    Column("abstract", Text, nullable=False, server_default=""),
    Column("cited_from", Text, nullable=False),
    CheckConstraint("year BETWEEN 1000 AND 2100", name="year"),
)

Table(
    "study_keyword",
    NEW,
    Column("study", ForeignKey("study.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("word", Text, nullable=False),
)

Table(
    "study_author",
    NEW,
    Column("study", ForeignKey("study.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

Table(
    "modality",
    NEW,
    Column("key", String(40), primary_key=True),
    Column("label", String(80), nullable=False),
    Column("parent", ForeignKey("modality.key")),
    Column("code", String(20), nullable=False),
)

Table(
    "anatomy",
    NEW,
    Column("key", String(40), primary_key=True),
    Column("label", String(80), nullable=False),
    Column("parent", ForeignKey("anatomy.key")),
    Column("code", String(20), nullable=False),
)

Table(
    "synonym",
    NEW,
    Column("vocabulary", String(20), primary_key=True),
    Column("word", String(80), primary_key=True),
    Column("key", String(40), nullable=False),
    CheckConstraint("vocabulary IN ('modality', 'anatomy')", name="vocabulary"),
)

Table(
    "backbone",
    NEW,
    Column("name", String(60), primary_key=True),
    Column("family", String(60), nullable=False),
    Column("library", String(20), nullable=False),
    Column("model", String(120), nullable=False),
    Column("input_px", Integer),
    Column("n_parameters", Integer),
    Column("n_macs", BigInteger),
    Column("year", Integer),
    Column("note", Text, nullable=False),
)

Table(
    "backbone_alias",
    NEW,
    Column("alias", String(60), primary_key=True),
    Column("backbone", ForeignKey("backbone.name", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
)

Table(
    "extraction",
    NEW,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("study", ForeignKey("study.key"), nullable=False, index=True),
    Column("status", String(10), nullable=False),
    Column("locator_table", String(40), nullable=False),
    Column("position", Integer, nullable=False),
    Column("row_label", Text, nullable=False),
    Column("ref_printed", String(20), nullable=False),
    Column("ref", String(20), nullable=False),
    Column("reading", String(12), nullable=False),
    Column("year", Integer, nullable=False),
    Column("image_type", Text, nullable=False),
    Column("modality", ForeignKey("modality.key"), index=True),
    Column("objective", Text, nullable=False),
    Column("subject", String(10), nullable=False),
    Column("approach_as_printed", Text, nullable=False),
    Column("augmentation", String(10), nullable=False),
    Column("visualization", String(30), nullable=False),
    Column("veracity", String(30), nullable=False),
    Column("n_experts", Integer),
    Column("preprocessing", String(10), nullable=False),
    Column("specialist_comparison", String(10), nullable=False),
    Column("n_specialists", Integer),
    Column("traditional_comparison", String(10), nullable=False),
    Column("team", String(20), nullable=False),
    Column("note", Text, nullable=False),
    UniqueConstraint("review", "study"),
    CheckConstraint("status IN ('extracted', 'known')", name="status"),
    CheckConstraint("reading IN ('as_printed', 'repaired', 'inferred')", name="reading"),
    _one_of("augmentation", "none offline online both yes unknown"),
    _one_of(
        "visualization", "none heatmap deconvolution activation_maximization unspecified unknown"
    ),
    _one_of("subject", "human animal -"),
    _one_of("veracity", "histology expert_review expert_annotation labelling manual_roi unknown -"),
    _one_of("preprocessing", "yes no roi -"),
    _one_of("specialist_comparison", "yes no unknown -"),
    _one_of("traditional_comparison", "yes no unknown -"),
    _one_of("team", "mixed engineers -"),
)

Table(
    "dataset",
    NEW,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("class_type", String(12), nullable=False),
    Column("n_classes", Integer),
    Column("n_images", BigInteger),
    Column("n_augmented", BigInteger),
    Column("n_sources", Integer),
    CheckConstraint("n_images > 0", name="n_images"),
    CheckConstraint("n_classes > 1", name="n_classes"),
    CheckConstraint("n_augmented >= n_images", name="n_augmented"),
    _one_of("class_type", "binary categorical numeric -"),
)

Table(
    "image_size",
    NEW,
    Column("extraction", ForeignKey("dataset.extraction", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("n_channels", Integer),
    CheckConstraint("width_px > 0 AND height_px > 0 AND n_channels > 0", name="size"),
)

Table(
    "extraction_software",
    NEW,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

Table(
    "extraction_hardware",
    NEW,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Integer),
    Column("device", Text, nullable=False),
    CheckConstraint("number > 0", name="number"),
)

Table(
    "extraction_anatomy",
    NEW,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("anatomy", ForeignKey("anatomy.key"), nullable=False, index=True),
)

Table(
    "extraction_task",
    NEW,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("task", String(20), nullable=False),
    _one_of("task", "classification regression detection"),
)

Table(
    "sample_count",
    NEW,
    Column("extraction", ForeignKey("dataset.extraction", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("stage", String(12), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("unit", String(20), nullable=False),
    _one_of("stage", "initial positive train_val test positive_test"),
)

Table(
    "arm",
    NEW,
    Column("extraction", ForeignKey("dataset.extraction", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("role", String(10), nullable=False),
    Column("backbone", ForeignKey("backbone.name"), nullable=False, index=True),
    Column("approach", String(30), nullable=False),
    Column("initialisation", String(12), nullable=False),
    Column("head", String(20), nullable=False),
    Column("layers_unfrozen", Text, nullable=False),
    _one_of("role", "winner used benchmark"),
    _one_of(
        "approach",
        APPROACHES,
    ),
    _one_of("initialisation", "pretrained random unspecified"),
    _one_of("head", "linear svm random_forest knn lda svr unspecified"),
)

Table(
    "evaluation",
    NEW,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("arm", Integer),
    Column("split", String(12), nullable=False),
    Column("metric", String(20), nullable=False),
    Column("operator", String(5), nullable=False),
    Column("value", Float, nullable=False),
    Column("value_high", Float),
    Column("notation", Text, nullable=False),
    ForeignKeyConstraint(
        ["extraction", "arm"], ["arm.extraction", "arm.position"], ondelete="CASCADE"
    ),
    _one_of("metric", "accuracy balanced_accuracy auc sensitivity specificity precision dice mae"),
    _one_of("operator", "= > range"),
    _one_of("split", "test validation unspecified"),
    CheckConstraint("metric = 'mae' OR (value >= 0 AND value <= 1)", name="rate"),
    CheckConstraint("(operator = 'range') = (value_high IS NOT NULL)", name="range"),
    CheckConstraint("value_high IS NULL OR value_high > value", name="order"),
)

Table(
    "printed_cell",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("study", ForeignKey("study.key"), primary_key=True),
    Column("locator_table", String(40), primary_key=True),
    Column("column_name", String(40), primary_key=True),
    Column("row_label", Text, nullable=False),
    Column("ref_printed", String(20), nullable=False),
    Column("printed", Text, nullable=False),
)

Table(
    "claim",
    NEW,
    Column("key", String(60), primary_key=True),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("topic", String(40), nullable=False),
    Column("section", Text, nullable=False),
    Column("statement", Text, nullable=False),
    Column("value", String(20), nullable=False),
    Column("unit", String(20), nullable=False),
    Column("note", Text, nullable=False),
    _one_of("kind", "advice prevalence finding caution count"),
)

Rows = dict[str, list[dict[str, Any]]]


def _rows(connection: Connection, metadata: MetaData) -> Rows:
    return {
        table.name: [
            dict(row)
            for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
        ]
        for table in metadata.sorted_tables
    }


def _carry(old: MetaData, new: MetaData, turn: Callable[[Rows], Rows]) -> None:
    connection = op.get_bind()
    rows = turn(_rows(connection, old))
    old.drop_all(connection)
    new.create_all(connection)
    for table in new.sorted_tables:
        if rows.get(table.name):
            names = set(table.columns.keys())
            kept = [{k: v for k, v in row.items() if k in names} for row in rows[table.name]]
            connection.execute(table.insert(), kept)


def _items(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _numbered(owner: str, key: Any, column: str, words: list[str]) -> list[dict[str, Any]]:
    return [{owner: key, "position": i, column: word} for i, word in enumerate(words, 1)]


def _forward(rows: Rows) -> Rows:
    rows |= {
        "review_database": [], "study_author": [], "dataset": [], "image_size": [],
        "extraction_software": [], "extraction_hardware": [],
    }  # fmt: skip
    for row in rows["review"]:
        row["doi"] = None if row["doi"] in {"", row["key"]} else row["doi"]
        words = _items(row["databases"])
        rows["review_database"] += _numbered("review", row["key"], "name", words)
    for row in rows["study"]:
        row |= {
            "year": row["year"] or None,
            "pmid": None,
            "volume": "",
            "pages": "",
            "abstract": "",
        }
        words = _items(row["authors"])
        rows["study_author"] += _numbered("study", row["key"], "name", words)
    for row in rows["extraction"]:
        number = row["id"]
        rows["dataset"].append({**row, "extraction": number, "n_sources": row["n_datasets"]})
        for column, item in (("software", "name"), ("hardware", "device")):
            words = _items(row[column])
            rows[f"extraction_{column}"] += _numbered("extraction", number, item, words)
        for position, size in enumerate(_items(row["image_size_px"]), 1):
            width, height, channels = [*map(int, size.split("x")), None][:3]
            rows["image_size"].append(
                {"extraction": number, "position": position, "width_px": width,
                 "height_px": height, "n_channels": channels}
            )  # fmt: skip
    for devices in rows["extraction_hardware"]:
        count, _, device = devices["device"].partition(" ")
        number = int(count) if count.isdecimal() and device else None
        devices |= {"number": number, "device": device if number else devices["device"]}
    used = {row["modality"] for row in rows["extraction"]} - {None}
    rows["modality"] = [_term(key) for key in sorted(used)]
    rows["anatomy"] = [_term(k) for k in sorted({r["anatomy"] for r in rows["extraction_anatomy"]})]
    positions = {row["id"]: row["position"] for row in rows["arm"]}
    for row in rows["evaluation"]:
        row |= {"arm": positions.get(row["arm"]), "split": "unspecified", "notation": _noted(row)}
    seen: dict[str, int] = {}
    for row in rows["backbone_alias"]:
        seen[row["backbone"]] = row["position"] = seen.get(row["backbone"], 0) + 1
    return rows


def _term(key: str) -> dict[str, Any]:
    return {"key": key, "label": key, "parent": None, "code": ""}


def _noted(row: dict[str, Any]) -> str:
    if row["operator"] == "range":
        return f"{row['metric']}={row['value']}..{row['value_high']}"
    return f"{row['metric']}{row['operator']}{row['value']}"


def _backward(rows: Rows) -> Rows:
    databases = _gathered(rows["review_database"], "review", "name")
    authors = _gathered(rows["study_author"], "study", "name")
    software = _gathered(rows["extraction_software"], "extraction", "name")
    for row in rows["extraction_hardware"]:
        row["device"] = f"{row['number'] or ''} {row['device']}".strip()
    hardware = _gathered(rows["extraction_hardware"], "extraction", "device")
    sizes: dict[Any, list[str]] = {}
    for row in rows["image_size"]:
        parts = (row["width_px"], row["height_px"], row["n_channels"])
        sizes.setdefault(row["extraction"], []).append("x".join(str(p) for p in parts if p))
    datasets = {row["extraction"]: row for row in rows["dataset"]}
    for row in rows["review"]:
        words = databases.get(row["key"], ())
        row |= {"databases": ";".join(words), "doi": row["doi"] or row["key"]}
    for row in rows["study"]:
        row |= {"authors": "; ".join(authors.get(row["key"], ())), "year": row["year"] or 0}
    for row in rows["extraction"]:
        number = row["id"]
        row |= {k: v for k, v in datasets[number].items() if k != "extraction"}
        row |= {
            "n_datasets": row["n_sources"],
            "software": ";".join(software.get(number, ())),
            "hardware": ";".join(hardware.get(number, ())),
            "image_size_px": ";".join(sizes.get(number, ())),
        }
    numbers = {}
    for number, row in enumerate(rows["arm"], 1):
        row["id"] = numbers[row["extraction"], row["position"]] = number
    for number, row in enumerate(rows["evaluation"], 1):
        row |= {"id": number, "arm": numbers.get((row["extraction"], row["arm"]))}
    for number, row in enumerate(rows["printed_cell"], 1):
        row["id"] = number
    return rows


def _gathered(rows: list[dict[str, Any]], owner: str, column: str) -> dict[Any, list[str]]:
    found: dict[Any, list[str]] = {}
    for row in rows:
        found.setdefault(row[owner], []).append(row[column])
    return found


#: How a dialect joins texts; the rows come in order from the query within.
JOIN = {"sqlite": "group_concat({}, ';')", "postgresql": "string_agg({}, ';')"}


def _listed(dialect: str, query: str, column: str) -> str:
    """Text of a list: one word where all are the same, as the older view wrote it."""
    return f"(SELECT {JOIN[dialect].format(column)} FROM ({query}) AS listed)"


def _own(dialect: str, column: str) -> str:
    query = (
        f"SELECT {column} FROM arm JOIN backbone ON backbone.name = arm.backbone "
        "WHERE arm.extraction = e.id AND arm.role <> 'benchmark' ORDER BY arm.position"
    )
    name = column.partition(".")[2]
    joined = JOIN[dialect].format(name)
    return (
        f"(SELECT CASE WHEN min({name}) = max({name}) THEN min({name}) ELSE {joined} END "
        f"FROM ({query}) AS own)"
    )


def study_features(dialect: str) -> str:
    """The flat face of the corpus: one row per extraction of a study.

    Several arms of a study's own (benchmarks apart) stand in one cell, joined by ``;`` unless all
    are the same. `value` is a lower bound where `operator` is ``>`` and runs to `value_high` where
    it is ``range``. Lists are subqueries of the row, so that a query pays only for those it names.
    """
    rivals = (
        "SELECT backbone FROM arm WHERE arm.extraction = e.id AND arm.role = 'benchmark' "
        "ORDER BY arm.position"
    )
    places = "SELECT anatomy FROM extraction_anatomy WHERE extraction = e.id ORDER BY position"
    tasks = "SELECT task FROM extraction_task WHERE extraction = e.id ORDER BY position"
    return f"""
CREATE VIEW study_features AS
SELECT
    e.review, e.study AS study_key, s.first_author, e.year, e.ref, e.image_type, e.modality,
    {_listed(dialect, places, "anatomy")} AS anatomy,
    {_listed(dialect, tasks, "task")} AS task,
    {_own(dialect, "arm.backbone")} AS backbone,
    {_own(dialect, "backbone.family")} AS family,
    d.n_images, d.n_augmented, e.augmentation, v.metric, v.operator, v.value,
    {_own(dialect, "arm.approach")} AS approach,
    e.approach_as_printed,
    {_own(dialect, "arm.head")} AS head,
    d.class_type, d.n_classes,
    {_listed(dialect, rivals, "backbone")} AS benchmarks,
    e.visualization, v.value_high
FROM extraction e
JOIN study s ON s.key = e.study
JOIN dataset d ON d.extraction = e.id
LEFT JOIN evaluation v ON v.extraction = e.id AND v.position = 1
WHERE e.status = 'extracted'
"""


def _older_view() -> str:
    from importlib.util import module_from_spec, spec_from_file_location  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    path = Path(__file__).with_name("0002_study_features.py")
    spec = spec_from_file_location("older", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.view(op.get_bind().dialect.name))


def upgrade() -> None:
    op.execute("DROP VIEW study_features")
    _carry(OLD, NEW, _forward)
    op.execute(study_features(op.get_bind().dialect.name))


def downgrade() -> None:
    op.execute("DROP VIEW study_features")
    _carry(NEW, OLD, _backward)
    op.execute(_older_view())
