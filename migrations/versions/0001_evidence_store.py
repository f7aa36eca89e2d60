"""The tables: reviews, studies, extractions, arms, evaluations, claims and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPROACHES = (
    "feature_extractor feature_extractor_hybrid fine_tuning fine_tuning_from_scratch none "
    "unspecified"
)


def one_of(table: str, column: str, words: str) -> sa.CheckConstraint:
    """Constraint that a column holds one of these words."""
    listed = ", ".join(f"'{word}'" for word in words.split())
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def link(table: str, column: str, target: str, ondelete: str | None = None) -> sa.Constraint:
    """Foreign key, named by convention."""
    name = op.f(f"fk_{table}_{column}_{target.partition('.')[0]}")
    return sa.ForeignKeyConstraint([column], [target], name=name, ondelete=ondelete)


def _create_backbone() -> None:
    op.create_table(
        "backbone",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("family", sa.String(length=60), nullable=False),
        sa.Column("library", sa.String(length=20), nullable=False),
        sa.Column("model", sa.String(length=120), nullable=False),
        sa.Column("input_px", sa.Integer(), nullable=True),
        sa.Column("n_parameters", sa.Integer(), nullable=True),
        sa.Column("n_macs", sa.BigInteger(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_backbone")),
    )


def _create_corpus() -> None:
    op.create_table(
        "corpus",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("loaded_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_corpus")),
    )


def _create_review() -> None:
    op.create_table(
        "review",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.Column("journal", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("volume", sa.String(length=20), nullable=False),
        sa.Column("pages", sa.String(length=40), nullable=False),
        sa.Column("doi", sa.String(length=200), nullable=False),
        sa.Column("review_type", sa.String(length=20), nullable=False),
        sa.Column("window_start", sa.String(length=10), nullable=False),
        sa.Column("window_end", sa.String(length=10), nullable=False),
        sa.Column("databases", sa.Text(), nullable=False),
        sa.Column("n_included", sa.Integer(), nullable=True),
        sa.Column("n_included_note", sa.Text(), nullable=False),
        sa.Column("agreement", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_review")),
        sa.UniqueConstraint("doi", name=op.f("uq_review_doi")),
    )


def _create_run() -> None:
    op.create_table(
        "run",
        sa.Column("run_id", sa.String(length=80), nullable=False),
        sa.Column("started_at", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("modality", sa.String(length=40), nullable=False),
        sa.Column("anatomy", sa.String(length=40), nullable=True),
        sa.Column("task", sa.String(length=20), nullable=False),
        sa.Column("n_images", sa.Integer(), nullable=False),
        sa.Column("n_classes", sa.Integer(), nullable=True),
        sa.Column("backbone_recommended", sa.String(length=120), nullable=False),
        sa.Column("backbone", sa.String(length=120), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        sa.Column("approach", sa.String(length=30), nullable=False),
        sa.Column("head", sa.String(length=20), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("digests", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        one_of("run", "approach", APPROACHES),
        one_of("run", "head", "linear svm random_forest knn lda svr unspecified"),
        one_of("run", "status", "finished failed"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
    )


def _create_study() -> None:
    op.create_table(
        "study",
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("first_author", sa.Text(), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("venue", sa.Text(), nullable=False),
        sa.Column("doi", sa.String(length=200), nullable=True),
        sa.Column("cited_from", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_study")),
        sa.UniqueConstraint("doi", name=op.f("uq_study_doi")),
    )


def _create_backbone_alias() -> None:
    op.create_table(
        "backbone_alias",
        sa.Column("alias", sa.String(length=60), nullable=False),
        sa.Column("backbone", sa.String(length=60), nullable=False),
        link("backbone_alias", "backbone", "backbone.name"),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_backbone_alias")),
    )


def _create_claim() -> None:
    op.create_table(
        "claim",
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("review", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("value", sa.String(length=20), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        one_of("claim", "kind", "advice prevalence finding caution count"),
        link("claim", "review", "review.key"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_claim")),
    )


def _create_extraction() -> None:
    op.create_table(
        "extraction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("review", sa.String(length=40), nullable=False),
        sa.Column("study", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("locator_table", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("row_label", sa.Text(), nullable=False),
        sa.Column("ref_printed", sa.String(length=20), nullable=False),
        sa.Column("ref", sa.String(length=20), nullable=False),
        sa.Column("reading", sa.String(length=12), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("image_type", sa.Text(), nullable=False),
        sa.Column("modality", sa.String(length=40), nullable=True),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(length=10), nullable=False),
        sa.Column("approach_as_printed", sa.Text(), nullable=False),
        sa.Column("class_type", sa.String(length=12), nullable=False),
        sa.Column("n_classes", sa.Integer(), nullable=True),
        sa.Column("n_images", sa.Integer(), nullable=True),
        sa.Column("n_augmented", sa.Integer(), nullable=True),
        sa.Column("augmentation", sa.String(length=10), nullable=False),
        sa.Column("visualization", sa.String(length=30), nullable=False),
        sa.Column("veracity", sa.String(length=30), nullable=False),
        sa.Column("n_experts", sa.Integer(), nullable=True),
        sa.Column("preprocessing", sa.String(length=10), nullable=False),
        sa.Column("image_size_px", sa.String(length=60), nullable=False),
        sa.Column("n_datasets", sa.Integer(), nullable=True),
        sa.Column("specialist_comparison", sa.String(length=10), nullable=False),
        sa.Column("n_specialists", sa.Integer(), nullable=True),
        sa.Column("traditional_comparison", sa.String(length=10), nullable=False),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("team", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        one_of("extraction", "augmentation", "none offline online both yes unknown"),
        sa.CheckConstraint(
            "class_type IN ('binary', 'categorical', 'numeric', '')",
            name=op.f("ck_extraction_class_type"),
        ),
        one_of("extraction", "reading", "as_printed repaired inferred"),
        one_of("extraction", "status", "extracted known"),
        one_of(
            "extraction",
            "visualization",
            "none heatmap deconvolution activation_maximization unspecified unknown",
        ),
        sa.CheckConstraint("n_images > 0 AND n_classes > 1", name=op.f("ck_extraction_counts")),
        link("extraction", "review", "review.key"),
        link("extraction", "study", "study.key"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extraction")),
        sa.UniqueConstraint("review", "study", name=op.f("uq_extraction_review_study")),
    )


def _create_printed_cell() -> None:
    op.create_table(
        "printed_cell",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("review", sa.String(length=40), nullable=False),
        sa.Column("study", sa.String(length=80), nullable=False),
        sa.Column("locator_table", sa.String(length=40), nullable=False),
        sa.Column("row_label", sa.Text(), nullable=False),
        sa.Column("ref_printed", sa.String(length=20), nullable=False),
        sa.Column("column_name", sa.String(length=40), nullable=False),
        sa.Column("printed", sa.Text(), nullable=False),
        link("printed_cell", "review", "review.key"),
        link("printed_cell", "study", "study.key"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_printed_cell")),
        sa.UniqueConstraint(
            "review",
            "study",
            "locator_table",
            "column_name",
            name=op.f("uq_printed_cell_review_study_locator_table_column_name"),
        ),
    )


def _create_run_metric() -> None:
    op.create_table(
        "run_metric",
        sa.Column("run_id", sa.String(length=80), nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("metric", sa.String(length=30), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        link("run_metric", "run_id", "run.run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "split", "metric", name=op.f("pk_run_metric")),
    )


def _create_arm() -> None:
    op.create_table(
        "arm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("backbone", sa.String(length=60), nullable=False),
        sa.Column("approach", sa.String(length=30), nullable=False),
        sa.Column("initialisation", sa.String(length=12), nullable=False),
        sa.Column("head", sa.String(length=20), nullable=False),
        sa.Column("layers_unfrozen", sa.Text(), nullable=False),
        one_of("arm", "approach", APPROACHES),
        one_of("arm", "head", "linear svm random_forest knn lda svr unspecified"),
        one_of("arm", "initialisation", "pretrained random unspecified"),
        one_of("arm", "role", "winner used benchmark"),
        link("arm", "backbone", "backbone.name"),
        link("arm", "extraction", "extraction.id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arm")),
        sa.UniqueConstraint("extraction", "position", name=op.f("uq_arm_extraction_position")),
    )


def _create_extraction_anatomy() -> None:
    op.create_table(
        "extraction_anatomy",
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("anatomy", sa.String(length=40), nullable=False),
        link("extraction_anatomy", "extraction", "extraction.id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("extraction", "position", name=op.f("pk_extraction_anatomy")),
    )


def _create_extraction_task() -> None:
    op.create_table(
        "extraction_task",
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=20), nullable=False),
        one_of("extraction_task", "task", "classification regression detection"),
        link("extraction_task", "extraction", "extraction.id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("extraction", "position", name=op.f("pk_extraction_task")),
    )


def _create_sample_count() -> None:
    op.create_table(
        "sample_count",
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        one_of("sample_count", "stage", "initial positive train_val test"),
        link("sample_count", "extraction", "extraction.id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("extraction", "position", name=op.f("pk_sample_count")),
    )


def _create_evaluation() -> None:
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("arm", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("metric", sa.String(length=20), nullable=False),
        sa.Column("operator", sa.String(length=5), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("value_high", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "(operator = 'range') = (value_high IS NOT NULL)", name=op.f("ck_evaluation_range")
        ),
        sa.CheckConstraint(
            "metric = 'mae' OR (value >= 0 AND value <= 1)", name=op.f("ck_evaluation_rate")
        ),
        one_of(
            "evaluation",
            "metric",
            "accuracy balanced_accuracy auc sensitivity specificity precision dice mae",
        ),
        one_of("evaluation", "operator", "= > range"),
        link("evaluation", "arm", "arm.id", ondelete="CASCADE"),
        link("evaluation", "extraction", "extraction.id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint(
            "extraction",
            "position",
            name=op.f("uq_evaluation_extraction_position"),
        ),
    )


#: Parents before children.
CREATE = (
    _create_backbone,
    _create_corpus,
    _create_review,
    _create_run,
    _create_study,
    _create_backbone_alias,
    _create_claim,
    _create_extraction,
    _create_printed_cell,
    _create_run_metric,
    _create_arm,
    _create_extraction_anatomy,
    _create_extraction_task,
    _create_sample_count,
    _create_evaluation,
)


def upgrade() -> None:
    for create in CREATE:
        create()


def downgrade() -> None:
    for create in reversed(CREATE):
        op.drop_table(create.__name__.removeprefix("_create_"))
