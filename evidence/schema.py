"""The tables of the store (SQLAlchemy Core; names by convention).

The view ``study_features``, the flat face of the corpus, stands in the migrations.
"""

from typing import Any, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from evidence import vocabulary

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def one_of(column: str, values: Any) -> CheckConstraint:
    """Constraint that `column` holds one of the words of a Literal type."""
    words = ", ".join(f"'{word}'" for word in get_args(values))
    return CheckConstraint(f"{column} IN ({words})", name=column)


review = Table(
    "review",
    metadata,
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

study = Table(
    "study",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("first_author", Text, nullable=False),
    Column("authors", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("title", Text),
    Column("venue", Text, nullable=False),
    Column("doi", String(200), unique=True),
    Column("cited_from", Text, nullable=False),
)

backbone = Table(
    "backbone",
    metadata,
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

backbone_alias = Table(
    "backbone_alias",
    metadata,
    Column("alias", String(60), primary_key=True),
    Column("backbone", ForeignKey("backbone.name"), nullable=False),
)

extraction = Table(
    "extraction",
    metadata,
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
    one_of("augmentation", vocabulary.Augmentation),
    one_of("class_type", vocabulary.ClassType),
    one_of("visualization", vocabulary.Visualization),
)

extraction_anatomy = Table(
    "extraction_anatomy",
    metadata,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("anatomy", String(40), nullable=False),
)

extraction_task = Table(
    "extraction_task",
    metadata,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("task", String(20), nullable=False),
    one_of("task", vocabulary.Task),
)

sample_count = Table(
    "sample_count",
    metadata,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("stage", String(12), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("unit", String(20), nullable=False),
    CheckConstraint("stage IN ('initial', 'positive', 'train_val', 'test')", name="stage"),
)

arm = Table(
    "arm",
    metadata,
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
    one_of("role", vocabulary.Role),
    one_of("approach", vocabulary.Approach),
    one_of("initialisation", vocabulary.Initialisation),
    one_of("head", vocabulary.Head),
)

evaluation = Table(
    "evaluation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), nullable=False),
    Column("arm", ForeignKey("arm.id", ondelete="CASCADE")),
    Column("position", Integer, nullable=False),
    Column("metric", String(20), nullable=False),
    Column("operator", String(5), nullable=False),
    Column("value", Float, nullable=False),
    Column("value_high", Float),
    UniqueConstraint("extraction", "position"),
    one_of("metric", vocabulary.Metric),
    one_of("operator", vocabulary.Operator),
    CheckConstraint("metric = 'mae' OR (value >= 0 AND value <= 1)", name="rate"),
    CheckConstraint("(operator = 'range') = (value_high IS NOT NULL)", name="range"),
)

printed_cell = Table(
    "printed_cell",
    metadata,
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

claim = Table(
    "claim",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("topic", String(40), nullable=False),
    Column("section", Text, nullable=False),
    Column("statement", Text, nullable=False),
    Column("value", String(20), nullable=False),
    Column("unit", String(20), nullable=False),
    Column("note", Text, nullable=False),
    one_of("kind", vocabulary.ClaimKind),
)

run = Table(
    "run",
    metadata,
    Column("run_id", String(80), primary_key=True),
    Column("started_at", String(40), nullable=False),
    Column("status", String(10), nullable=False),
    Column("folder", Text, nullable=False),
    Column("modality", String(40), nullable=False),
    Column("anatomy", String(40)),
    Column("task", String(20), nullable=False),
    Column("n_images", Integer, nullable=False),
    Column("n_classes", Integer),
    Column("backbone_recommended", String(120), nullable=False),
    Column("backbone", String(120), nullable=False),
    Column("weights", Text, nullable=False),
    Column("approach", String(30), nullable=False),
    Column("head", String(20), nullable=False),
    Column("seed", Integer, nullable=False),
    Column("device", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("digests", JSON, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("error", Text, nullable=False),
    CheckConstraint("status IN ('finished', 'failed')", name="status"),
    one_of("approach", vocabulary.Approach),
    one_of("head", vocabulary.Head),
)

run_metric = Table(
    "run_metric",
    metadata,
    Column("run_id", ForeignKey("run.run_id", ondelete="CASCADE"), primary_key=True),
    Column("split", String(10), primary_key=True),
    Column("metric", String(30), primary_key=True),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
)

corpus = Table(
    "corpus",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("loaded_at", String(32), nullable=False),
)

#: Corpus tables, parents before children; `run` is the user's own and never among them.
CORPUS_TABLES = (
    review,
    study,
    backbone,
    backbone_alias,
    extraction,
    extraction_anatomy,
    extraction_task,
    sample_count,
    arm,
    evaluation,
    printed_cell,
    claim,
    corpus,
)
