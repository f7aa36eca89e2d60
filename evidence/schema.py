"""The tables of what was published (SQLAlchemy Core; names by convention).

The other tables stand in `evidence.schema_reviews`, `evidence.schema_living`,
`evidence.schema_benchmarks` and `evidence.schema_runs`, the views ``study_features`` and ``fact``
in the migrations.
"""

from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
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
    Column("doi", String(200), unique=True),
    Column("review_type", String(20), nullable=False),
    one_of("review_type", vocabulary.ReviewType),
    Column("window_start", String(10), nullable=False),
    Column("window_end", String(10), nullable=False),
    Column("n_included", Integer),
    Column("n_included_note", Text, nullable=False),
    Column("agreement", Text, nullable=False),
)

review_database = Table(
    "review_database",
    metadata,
    Column("review", ForeignKey("review.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

study = Table(
    "study",
    metadata,
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

study_keyword = Table(
    "study_keyword",
    metadata,
    Column("study", ForeignKey("study.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("word", Text, nullable=False),
)

study_author = Table(
    "study_author",
    metadata,
    Column("study", ForeignKey("study.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

modality = Table(
    "modality",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("label", String(80), nullable=False),
    Column("parent", ForeignKey("modality.key")),
    Column("code", String(20), nullable=False),
)

anatomy = Table(
    "anatomy",
    metadata,
    Column("key", String(40), primary_key=True),
    Column("label", String(80), nullable=False),
    Column("parent", ForeignKey("anatomy.key")),
    Column("code", String(20), nullable=False),
)

synonym = Table(
    "synonym",
    metadata,
    Column("vocabulary", String(20), primary_key=True),
    Column("word", String(80), primary_key=True),
    Column("key", String(40), nullable=False),
    CheckConstraint("vocabulary IN ('modality', 'anatomy')", name="vocabulary"),
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
    Column("imagenet_top1", Float),
    Column("imagenet_source", Text, nullable=False),
    Column("note", Text, nullable=False),
)

backbone_alias = Table(
    "backbone_alias",
    metadata,
    Column("alias", String(60), primary_key=True),
    Column("backbone", ForeignKey("backbone.name", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
)

extraction = Table(
    "extraction",
    metadata,
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
    one_of("augmentation", vocabulary.Augmentation),
    one_of("visualization", vocabulary.Visualization),
    one_of("subject", vocabulary.Subject),
    one_of("veracity", vocabulary.Veracity),
    one_of("preprocessing", vocabulary.Preprocessing),
    one_of("specialist_comparison", vocabulary.Compared),
    one_of("traditional_comparison", vocabulary.Compared),
    one_of("team", vocabulary.Team),
)

dataset = Table(
    "dataset",
    metadata,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("class_type", String(12), nullable=False),
    Column("n_classes", Integer),
    Column("n_images", BigInteger),
    Column("n_augmented", BigInteger),
    Column("n_sources", Integer),
    CheckConstraint("n_images > 0", name="n_images"),
    CheckConstraint("n_classes > 1", name="n_classes"),
    CheckConstraint("n_augmented >= n_images", name="n_augmented"),
    one_of("class_type", vocabulary.ClassType),
)

image_size = Table(
    "image_size",
    metadata,
    Column("extraction", ForeignKey("dataset.extraction", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("width_px", Integer, nullable=False),
    Column("height_px", Integer, nullable=False),
    Column("n_channels", Integer),
    CheckConstraint("width_px > 0 AND height_px > 0 AND n_channels > 0", name="size"),
)

extraction_software = Table(
    "extraction_software",
    metadata,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

extraction_hardware = Table(
    "extraction_hardware",
    metadata,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("number", Integer),
    Column("device", Text, nullable=False),
    CheckConstraint("number > 0", name="number"),
)

extraction_anatomy = Table(
    "extraction_anatomy",
    metadata,
    Column("extraction", ForeignKey("extraction.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("anatomy", ForeignKey("anatomy.key"), nullable=False, index=True),
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
    Column("extraction", ForeignKey("dataset.extraction", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("stage", String(12), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("unit", String(20), nullable=False),
    one_of("stage", vocabulary.CountStage),
)

arm = Table(
    "arm",
    metadata,
    Column("extraction", ForeignKey("dataset.extraction", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("role", String(10), nullable=False),
    Column("backbone", ForeignKey("backbone.name"), nullable=False, index=True),
    Column("approach", String(30), nullable=False),
    Column("initialisation", String(12), nullable=False),
    Column("head", String(20), nullable=False),
    Column("layers_unfrozen", Text, nullable=False),
    one_of("role", vocabulary.Role),
    one_of("approach", vocabulary.Approach),
    one_of("initialisation", vocabulary.Initialisation),
    one_of("head", vocabulary.Head),
)

evaluation = Table(
    "evaluation",
    metadata,
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
    one_of("metric", vocabulary.Metric),
    one_of("operator", vocabulary.Operator),
    one_of("split", vocabulary.Split),
    CheckConstraint("metric = 'mae' OR (value >= 0 AND value <= 1)", name="rate"),
    CheckConstraint("(operator = 'range') = (value_high IS NOT NULL)", name="range"),
    CheckConstraint("value_high IS NULL OR value_high > value", name="order"),
)

printed_cell = Table(
    "printed_cell",
    metadata,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("study", ForeignKey("study.key"), primary_key=True),
    Column("locator_table", String(40), primary_key=True),
    Column("column_name", String(40), primary_key=True),
    Column("row_label", Text, nullable=False),
    Column("ref_printed", String(20), nullable=False),
    Column("printed", Text, nullable=False),
)

printed_figure = Table(
    "printed_figure",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("section", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("printed", Text, nullable=False),
    Column("unit", String(20), nullable=False),
    Column("recomputed", Text, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("cause", Text, nullable=False),
    Column("query", Text, nullable=False),
    one_of("verdict", vocabulary.Verdict),
    CheckConstraint("verdict = 'agrees' OR cause <> ''", name="cause"),
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
    Column("figure", ForeignKey("printed_figure.key")),
    Column("note", Text, nullable=False),
    one_of("kind", vocabulary.ClaimKind),
)

corpus = Table(
    "corpus",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("loaded_at", String(32), nullable=False),
)
