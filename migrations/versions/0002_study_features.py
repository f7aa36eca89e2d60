"""The view study_features."""

from alembic import op

revision = "0002"
down_revision = "0001"
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
            ELSE {join}(backbone, ';') END AS backbone,
        CASE count(DISTINCT family) WHEN 1 THEN min(family)
            ELSE {join}(family, ';') END AS family,
        CASE count(DISTINCT approach) WHEN 1 THEN min(approach)
            ELSE {join}(approach, ';') END AS approach,
        CASE count(DISTINCT head) WHEN 1 THEN min(head)
            ELSE {join}(head, ';') END AS head
    FROM own GROUP BY extraction
), rivals AS (
    SELECT extraction, {join}(backbone, ';') AS benchmarks
    FROM (SELECT extraction, backbone FROM arm WHERE role = 'benchmark'
        ORDER BY extraction, position) AS listed
    GROUP BY extraction
), places AS (
    SELECT extraction, {join}(anatomy, ';') AS anatomy
    FROM (SELECT * FROM extraction_anatomy ORDER BY extraction, position) AS listed
    GROUP BY extraction
), tasks AS (
    SELECT extraction, {join}(task, ';') AS task
    FROM (SELECT * FROM extraction_task ORDER BY extraction, position) AS listed
    GROUP BY extraction
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


#: How a dialect joins texts.
JOIN = {"sqlite": "group_concat", "postgresql": "string_agg"}


def view(dialect: str) -> str:
    """The view in the words of a dialect."""
    return STUDY_FEATURES.format(join=JOIN[dialect])


def upgrade() -> None:
    op.execute(view(op.get_bind().dialect.name))


def downgrade() -> None:
    op.execute("DROP VIEW study_features")
