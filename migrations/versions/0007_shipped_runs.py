"""Runs that ship with evtl, and what our own runs trained: epochs, initialisation, blocks.

Of older runs the initialisation is known from their weights, the epochs and blocks are not. On the
way back these three are left out, as the older form has no columns for them; a store in which
shipped runs were changed stays as it is.
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

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NEW = MetaData(
    naming_convention={
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
# Tables of before that the new one points to; only their keys matter here.
Table("benchmark_dataset", NEW, Column("key", String(60), primary_key=True))
Table("backbone", NEW, Column("name", String(60), primary_key=True))


def _one_of(column: str, words: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words.split())
    return CheckConstraint(f"{column} IN ({listed})", name=column)


SHIPPED_RUN = Table(
    "shipped_run",
    NEW,
    Column("run_id", String(160), primary_key=True),
    Column("dataset", ForeignKey("benchmark_dataset.key"), nullable=False),
    Column("n_images", BigInteger, nullable=False),
    Column("n_classes", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("backbone", ForeignKey("backbone.name"), nullable=False),
    Column("approach", String(30), nullable=False),
    Column("initialisation", String(12), nullable=False),
    Column("n_blocks", Integer),
    Column("head", String(20), nullable=False),
    Column("epochs", Integer),
    Column("auc", Float, nullable=False),
    Column("auc_low", Float),
    Column("auc_high", Float),
    Column("accuracy", Float, nullable=False),
    Column("accuracy_low", Float),
    Column("accuracy_high", Float),
    Column("balanced_accuracy", Float, nullable=False),
    Column("balanced_accuracy_low", Float),
    Column("balanced_accuracy_high", Float),
    Column("seconds", Float, nullable=False),
    Column("cpu_s", Float, nullable=False),
    Column("peak_memory_mb", Float),
    Column("device", Text, nullable=False),
    Column("versions", Text, nullable=False),
    _one_of(
        "approach",
        "feature_extractor feature_extractor_hybrid fine_tuning fine_tuning_from_scratch none "
        "unspecified",
    ),
    _one_of("initialisation", "pretrained random unspecified"),
    _one_of("head", "linear svm random_forest knn lda svr unspecified"),
    CheckConstraint("n_images > 0 AND n_classes > 1 AND seed >= 0", name="size"),
    CheckConstraint("epochs > 0 AND n_blocks > 0", name="trained"),
    CheckConstraint(
        "auc BETWEEN 0 AND 1 AND accuracy BETWEEN 0 AND 1 AND balanced_accuracy BETWEEN 0 AND 1",
        name="rates",
    ),
    CheckConstraint("seconds > 0 AND cpu_s >= 0", name="seconds"),
)
#: What our own runs say now.
COLUMNS = {"epochs": Integer(), "initialisation": String(12), "n_blocks": Integer()}


def upgrade() -> None:
    SHIPPED_RUN.create(op.get_bind())
    for name, kind in COLUMNS.items():
        op.add_column("run", Column(name, kind))
    # A run that failed early took no weights; what it was to begin with is not known.
    op.execute(
        "UPDATE run SET initialisation = CASE weights WHEN 'random initialisation' THEN 'random' "
        "ELSE 'pretrained' END WHERE weights <> ''"
    )
    op.execute("DELETE FROM corpus")  # the new table is filled when the corpus is loaded again


def downgrade() -> None:
    query = "SELECT count(DISTINCT change_set) FROM change WHERE file = 'runs.csv'"
    if found := op.get_bind().execute(text(query)).scalar_one():
        msg = (
            f"this store holds {found} change sets of shipped runs, which the older form cannot "
            "keep: export the corpus (evtl export); the history stays here"
        )
        raise RuntimeError(msg)
    op.execute("DELETE FROM corpus")
    for name in COLUMNS:
        op.drop_column("run", name)
    SHIPPED_RUN.drop(op.get_bind())
