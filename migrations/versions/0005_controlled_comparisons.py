"""Controlled comparisons, and the memory that our own trainings took.

On the way back the memory of runs is left out, as the older form has no column for it; a store in
which controlled comparisons were changed stays as it is.
"""

from alembic import op
from sqlalchemy import (
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
    text,
)

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NEW = MetaData(
    naming_convention={
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
#: Tables of before that the new ones point to; only their keys matter here.
EARLIER = [
    Table(name, NEW, Column(key, String(length), primary_key=True))
    for name, key, length in (
        ("modality", "key", 40), ("anatomy", "key", 40), ("backbone", "name", 60),
    )
]  # fmt: skip


def _one_of(column: str, words: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words.split())
    return CheckConstraint(f"{column} IN ({listed})", name=column)


Table(
    "benchmark",
    NEW,
    Column("key", String(60), primary_key=True),
    Column("citation", Text, nullable=False),
    Column("doi", String(200)),
    Column("arxiv", String(20), nullable=False),
    Column("held_equal", Text, nullable=False),
    Column("note", Text, nullable=False),
)

Table(
    "benchmark_dataset",
    NEW,
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
    _one_of("task", "classification regression detection"),
)

Table(
    "benchmark_result",
    NEW,
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
    _one_of(
        "approach",
        "feature_extractor feature_extractor_hybrid fine_tuning fine_tuning_from_scratch none "
        "unspecified",
    ),
    _one_of("initialisation", "pretrained random unspecified"),
    _one_of("head", "linear svm random_forest knn lda svr unspecified"),
    _one_of("metric", "accuracy balanced_accuracy auc sensitivity specificity precision dice mae"),
    CheckConstraint("value >= 0 AND (metric = 'mae' OR value <= 1)", name="value"),
    CheckConstraint("(initialisation = 'pretrained') = (pretraining <> '')", name="pretraining"),
    CheckConstraint("cpu_s >= 0", name="cpu_s"),
)


def _added() -> list[Table]:
    return [table for table in NEW.sorted_tables if table not in EARLIER]


def upgrade() -> None:
    NEW.create_all(op.get_bind(), tables=_added())
    with op.batch_alter_table("run") as run:
        run.add_column(Column("peak_memory_mb", Float))
    op.execute("DELETE FROM corpus")  # the new tables are filled when the corpus is loaded again


def downgrade() -> None:
    changed = "SELECT count(DISTINCT change_set) FROM change WHERE file LIKE 'benchmark%'"
    if found := op.get_bind().execute(text(changed)).scalar_one():
        msg = (
            f"this store holds {found} change sets of controlled comparisons, which the older form "
            "cannot keep: export the corpus (evtl export); the history stays here"
        )
        raise RuntimeError(msg)
    op.execute("DELETE FROM corpus")
    with op.batch_alter_table("run") as run:
        run.drop_column("peak_memory_mb")
    NEW.drop_all(op.get_bind(), tables=_added())
