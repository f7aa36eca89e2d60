"""Tables of controlled comparisons: many configurations on the same data, all else held equal."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from evidence import vocabulary
from evidence.schema import metadata, one_of

benchmark = Table(
    "benchmark",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("citation", Text, nullable=False),
    Column("doi", String(200)),
    Column("arxiv", String(20), nullable=False),
    Column("held_equal", Text, nullable=False),
    Column("note", Text, nullable=False),
)

benchmark_dataset = Table(
    "benchmark_dataset",
    metadata,
    Column("key", String(60), primary_key=True),
    Column("label", Text, nullable=False),
    Column("origin", String(60), nullable=False),
    Column("modality", ForeignKey("modality.key")),
    Column("anatomy", ForeignKey("anatomy.key")),
    Column("n_images", BigInteger),
    Column("n_classes", Integer),
    Column("task", String(20), nullable=False),
    Column("note", Text, nullable=False),
    CheckConstraint("n_images > 0", name="n_images"),
    CheckConstraint("n_classes > 1", name="n_classes"),
    one_of("task", vocabulary.Task),
)

benchmark_result = Table(
    "benchmark_result",
    metadata,
    Column("benchmark", ForeignKey("benchmark.key"), primary_key=True),
    Column("dataset", ForeignKey("benchmark_dataset.key"), primary_key=True),
    Column("backbone", ForeignKey("backbone.name"), primary_key=True),
    Column("approach", String(30), primary_key=True),
    Column("initialisation", String(12), primary_key=True),
    Column("pretraining", String(60), primary_key=True),
    Column("head", String(20), primary_key=True),
    Column("metric", String(20), primary_key=True),
    Column("value", Float, nullable=False),
    Column("cpu_s", Float),
    one_of("approach", vocabulary.Approach),
    one_of("initialisation", vocabulary.Initialisation),
    one_of("head", vocabulary.Head),
    one_of("metric", vocabulary.Metric),
    CheckConstraint("value >= 0 AND (metric = 'mae' OR value <= 1)", name="value"),
    CheckConstraint("(initialisation = 'pretrained') = (pretraining <> '')", name="pretraining"),
    CheckConstraint("cpu_s >= 0", name="cpu_s"),
)
