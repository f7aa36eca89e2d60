"""The evidence store: reviews, studies, extractions, arms, evaluations, claims and runs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: The flat face of the corpus: one row per extraction of a study. Several arms of a study's own
#: (benchmarks apart) stand in one cell, joined by ``;`` unless all are the same. `value` is a lower
#: bound where `operator` is ``>`` and runs to `value_high` where it is ``range``.
STUDY_FEATURES = """
CREATE VIEW study_features AS
WITH own AS (
    SELECT arm.extraction, arm.backbone, backbone.family, arm.approach, arm.head
    FROM arm JOIN backbone ON backbone.name = arm.backbone
    WHERE arm.role <> 'benchmark' ORDER BY arm.extraction, arm.position
), arms AS (
    SELECT extraction,
        CASE count(DISTINCT backbone) WHEN 1 THEN min(backbone)
            ELSE group_concat(backbone, ';') END AS backbone,
        CASE count(DISTINCT family) WHEN 1 THEN min(family)
            ELSE group_concat(family, ';') END AS family,
        CASE count(DISTINCT approach) WHEN 1 THEN min(approach)
            ELSE group_concat(approach, ';') END AS approach,
        CASE count(DISTINCT head) WHEN 1 THEN min(head)
            ELSE group_concat(head, ';') END AS head
    FROM own GROUP BY extraction
), rivals AS (
    SELECT extraction, group_concat(backbone, ';') AS benchmarks
    FROM (SELECT extraction, backbone FROM arm WHERE role = 'benchmark'
        ORDER BY extraction, position)
    GROUP BY extraction
), places AS (
    SELECT extraction, group_concat(anatomy, ';') AS anatomy
    FROM (SELECT * FROM extraction_anatomy ORDER BY extraction, position) GROUP BY extraction
), tasks AS (
    SELECT extraction, group_concat(task, ';') AS task
    FROM (SELECT * FROM extraction_task ORDER BY extraction, position) GROUP BY extraction
)
SELECT
    e.review, e.study AS study_key, s.first_author, e.year, e.ref, e.image_type, e.modality,
    places.anatomy, tasks.task, arms.backbone, arms.family, e.n_images, e.n_augmented,
    e.augmentation, v.metric, v.operator, v.value, arms.approach, e.approach_as_printed,
    arms.head, e.class_type, e.n_classes, rivals.benchmarks, e.visualization, v.value_high
FROM extraction e
JOIN study s ON s.key = e.study
LEFT JOIN arms ON arms.extraction = e.id
LEFT JOIN rivals ON rivals.extraction = e.id
LEFT JOIN places ON places.extraction = e.id
LEFT JOIN tasks ON tasks.extraction = e.id
LEFT JOIN evaluation v ON v.extraction = e.id AND v.position = 1
WHERE e.status = 'extracted'
"""


def upgrade() -> None:
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
    op.create_table(
        "corpus",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("loaded_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_corpus")),
    )
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
        sa.CheckConstraint(
            "approach IN ('feature_extractor', 'feature_extractor_hybrid', "
            "'fine_tuning', 'fine_tuning_from_scratch', 'none', 'unspecified')",
            name=op.f("ck_run_approach"),
        ),
        sa.CheckConstraint(
            "head IN ('linear', 'svm', 'random_forest', 'knn', 'lda', 'svr', 'unspecified')",
            name=op.f("ck_run_head"),
        ),
        sa.CheckConstraint("status IN ('finished', 'failed')", name=op.f("ck_run_status")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run")),
    )
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
    op.create_table(
        "backbone_alias",
        sa.Column("alias", sa.String(length=60), nullable=False),
        sa.Column("backbone", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(
            ["backbone"], ["backbone.name"], name=op.f("fk_backbone_alias_backbone_backbone")
        ),
        sa.PrimaryKeyConstraint("alias", name=op.f("pk_backbone_alias")),
    )
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
        sa.CheckConstraint(
            "kind IN ('advice', 'prevalence', 'finding', 'caution', 'count')",
            name=op.f("ck_claim_kind"),
        ),
        sa.ForeignKeyConstraint(["review"], ["review.key"], name=op.f("fk_claim_review_review")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_claim")),
    )
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
        sa.CheckConstraint(
            "augmentation IN ('none', 'offline', 'online', 'both', 'yes', 'unknown')",
            name=op.f("ck_extraction_augmentation"),
        ),
        sa.CheckConstraint(
            "class_type IN ('binary', 'categorical', 'numeric', '')",
            name=op.f("ck_extraction_class_type"),
        ),
        sa.CheckConstraint(
            "reading IN ('as_printed', 'repaired', 'inferred')", name=op.f("ck_extraction_reading")
        ),
        sa.CheckConstraint("status IN ('extracted', 'known')", name=op.f("ck_extraction_status")),
        sa.CheckConstraint(
            "visualization IN ('none', 'heatmap', 'deconvolution', "
            "'activation_maximization', 'unspecified', 'unknown')",
            name=op.f("ck_extraction_visualization"),
        ),
        sa.CheckConstraint("n_images > 0 AND n_classes > 1", name=op.f("ck_extraction_counts")),
        sa.ForeignKeyConstraint(
            ["review"], ["review.key"], name=op.f("fk_extraction_review_review")
        ),
        sa.ForeignKeyConstraint(["study"], ["study.key"], name=op.f("fk_extraction_study_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extraction")),
        sa.UniqueConstraint("review", "study", name=op.f("uq_extraction_review_study")),
    )
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
        sa.ForeignKeyConstraint(
            ["review"], ["review.key"], name=op.f("fk_printed_cell_review_review")
        ),
        sa.ForeignKeyConstraint(["study"], ["study.key"], name=op.f("fk_printed_cell_study_study")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_printed_cell")),
        sa.UniqueConstraint(
            "review",
            "study",
            "locator_table",
            "column_name",
            name=op.f("uq_printed_cell_review_study_locator_table_column_name"),
        ),
    )
    op.create_table(
        "run_metric",
        sa.Column("run_id", sa.String(length=80), nullable=False),
        sa.Column("split", sa.String(length=10), nullable=False),
        sa.Column("metric", sa.String(length=30), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.run_id"], name=op.f("fk_run_metric_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "split", "metric", name=op.f("pk_run_metric")),
    )
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
        sa.CheckConstraint(
            "approach IN ('feature_extractor', 'feature_extractor_hybrid', "
            "'fine_tuning', 'fine_tuning_from_scratch', 'none', 'unspecified')",
            name=op.f("ck_arm_approach"),
        ),
        sa.CheckConstraint(
            "head IN ('linear', 'svm', 'random_forest', 'knn', 'lda', 'svr', 'unspecified')",
            name=op.f("ck_arm_head"),
        ),
        sa.CheckConstraint(
            "initialisation IN ('pretrained', 'random', 'unspecified')",
            name=op.f("ck_arm_initialisation"),
        ),
        sa.CheckConstraint("role IN ('winner', 'used', 'benchmark')", name=op.f("ck_arm_role")),
        sa.ForeignKeyConstraint(
            ["backbone"], ["backbone.name"], name=op.f("fk_arm_backbone_backbone")
        ),
        sa.ForeignKeyConstraint(
            ["extraction"],
            ["extraction.id"],
            name=op.f("fk_arm_extraction_extraction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arm")),
        sa.UniqueConstraint("extraction", "position", name=op.f("uq_arm_extraction_position")),
    )
    op.create_table(
        "extraction_anatomy",
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("anatomy", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["extraction"],
            ["extraction.id"],
            name=op.f("fk_extraction_anatomy_extraction_extraction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("extraction", "position", name=op.f("pk_extraction_anatomy")),
    )
    op.create_table(
        "extraction_task",
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "task IN ('classification', 'regression', 'detection')",
            name=op.f("ck_extraction_task_task"),
        ),
        sa.ForeignKeyConstraint(
            ["extraction"],
            ["extraction.id"],
            name=op.f("fk_extraction_task_extraction_extraction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("extraction", "position", name=op.f("pk_extraction_task")),
    )
    op.create_table(
        "sample_count",
        sa.Column("extraction", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("unit", sa.String(length=20), nullable=False),
        sa.CheckConstraint(
            "stage IN ('initial', 'positive', 'train_val', 'test')",
            name=op.f("ck_sample_count_stage"),
        ),
        sa.ForeignKeyConstraint(
            ["extraction"],
            ["extraction.id"],
            name=op.f("fk_sample_count_extraction_extraction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("extraction", "position", name=op.f("pk_sample_count")),
    )
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
        sa.CheckConstraint(
            "metric IN ('accuracy', 'balanced_accuracy', 'auc', 'sensitivity', "
            "'specificity', 'precision', 'dice', 'mae')",
            name=op.f("ck_evaluation_metric"),
        ),
        sa.CheckConstraint("operator IN ('=', '>', 'range')", name=op.f("ck_evaluation_operator")),
        sa.ForeignKeyConstraint(
            ["arm"], ["arm.id"], name=op.f("fk_evaluation_arm_arm"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["extraction"],
            ["extraction.id"],
            name=op.f("fk_evaluation_extraction_extraction"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint(
            "extraction", "position", name=op.f("uq_evaluation_extraction_position")
        ),
    )
    op.execute(STUDY_FEATURES)


def downgrade() -> None:
    op.execute("DROP VIEW study_features")
    op.drop_table("evaluation")
    op.drop_table("sample_count")
    op.drop_table("extraction_task")
    op.drop_table("extraction_anatomy")
    op.drop_table("arm")
    op.drop_table("run_metric")
    op.drop_table("printed_cell")
    op.drop_table("extraction")
    op.drop_table("claim")
    op.drop_table("backbone_alias")
    op.drop_table("study")
    op.drop_table("run")
    op.drop_table("review")
    op.drop_table("corpus")
    op.drop_table("backbone")
