"""What reviews say of themselves, and what a living review adds: decisions, change sets, releases.

Going back loses nothing: where something was changed in this store, the way back is refused.
"""

from alembic import op
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NEW = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
#: Tables of before that the new ones point to; only their keys matter here.
EARLIER = [
    Table(name, NEW, Column(key, String(length), primary_key=True))
    for name, key, length in (
        ("review", "key", 40), ("study", "key", 80), ("modality", "key", 40),
        ("anatomy", "key", 40), ("backbone", "name", 60), ("claim", "key", 60),
    )
]  # fmt: skip


def _one_of(column: str, words: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words.split())
    return CheckConstraint(f"{column} IN ({listed})", name=column)


Table(
    "printed_figure",
    NEW,
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
    _one_of("verdict", "agrees differs contradicts not_answerable"),
    CheckConstraint("verdict = 'agrees' OR cause <> ''", name="cause"),
)

Table(
    "flow_step",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("n_printed", Integer),
    Column("n_derived", Integer),
    Column("section", Text, nullable=False),
    Column("note", Text, nullable=False),
    _one_of("kind", "identified duplicates screened excluded full_text included"),
)

Table(
    "rater_agreement",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("stage", String(40), nullable=False),
    Column("statistic", String(40), nullable=False),
    Column("value", Float),
    Column("n_raters", Integer),
    Column("section", Text, nullable=False),
    Column("note", Text, nullable=False),
    CheckConstraint("value >= -1 AND value <= 1", name="value"),
)

Table(
    "backbone_fact",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("backbone", ForeignKey("backbone.name"), primary_key=True),
    Column("fact", String(40), primary_key=True),
    Column("section", String(120), primary_key=True),
    Column("value", Text, nullable=False),
    Column("unit", String(20), nullable=False),
    Column("printed", Text, nullable=False),
)

Table(
    "disagreement_side",
    NEW,
    Column("disagreement", String(60), primary_key=True),
    Column("side", Integer, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("review", ForeignKey("review.key"), nullable=False),
    Column("study", ForeignKey("study.key")),
    Column("section", Text, nullable=False),
    Column("statement", Text, nullable=False),
    Column("claim", ForeignKey("claim.key")),
    CheckConstraint("kind IN ('advice', 'same_study', 'inside')", name="kind"),
)

Table(
    "disagreement_modality",
    NEW,
    Column("disagreement", String(60), primary_key=True),
    Column("side", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("modality", ForeignKey("modality.key"), nullable=False),
    ForeignKeyConstraint(
        ["disagreement", "side"],
        ["disagreement_side.disagreement", "disagreement_side.side"],
        ondelete="CASCADE",
    ),
)

Table(
    "disagreement_anatomy",
    NEW,
    Column("disagreement", String(60), primary_key=True),
    Column("side", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("anatomy", ForeignKey("anatomy.key"), nullable=False),
    ForeignKeyConstraint(
        ["disagreement", "side"],
        ["disagreement_side.disagreement", "disagreement_side.side"],
        ondelete="CASCADE",
    ),
)

Table(
    "crosswalk",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("field", String(20), primary_key=True),
    Column("category", String(120), primary_key=True),
    Column("second_category", String(120), primary_key=True),
    Column("modality", ForeignKey("modality.key")),
    Column("anatomy", ForeignKey("anatomy.key")),
    Column("approach", String(30)),
    Column("initialisation", String(12)),
    Column("head", String(20)),
    Column("note", Text, nullable=False),
)

Table(
    "field_source",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("field", String(40), primary_key=True),
    Column("locator_table", String(40), primary_key=True),
    Column("column_name", String(40), primary_key=True),
    Column("statement", Text, nullable=False),
)

Table(
    "identified",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("source", String(120), primary_key=True),
    Column("record", String(200), primary_key=True),
    Column("study", ForeignKey("study.key"), nullable=False, index=True),
    Column("matched_by", String(20), nullable=False),
    Column("note", Text, nullable=False),
)

Table(
    "screening",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("study", ForeignKey("study.key"), primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("reviewer", String(80), primary_key=True),
    Column("role", String(12), nullable=False),
    Column("decision", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    _one_of("stage", "title_abstract full_text"),
    _one_of("decision", "include exclude"),
    CheckConstraint("role IN ('reviewer', 'adjudicator')", name="role"),
    CheckConstraint("decision = 'include' OR reason <> ''", name="reason"),
)

Table(
    "reading",
    NEW,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("study", ForeignKey("study.key"), primary_key=True),
    Column("field", String(40), primary_key=True),
    Column("reader", String(80), primary_key=True),
    Column("role", String(12), nullable=False),
    Column("value", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("role IN ('reader', 'adjudicator')", name="role"),
)

Table(
    "change_set",
    NEW,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("undoes", ForeignKey("change_set.id")),
    CheckConstraint("actor <> '' AND reason <> ''", name="said"),
)

Table(
    "change",
    NEW,
    Column("change_set", ForeignKey("change_set.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("file", String(40), nullable=False),
    Column("row_key", Text, nullable=False, index=True),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
)

Table(
    "release",
    NEW,
    Column("tag", String(80), primary_key=True),
    Column("at", String(32), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("change_set", ForeignKey("change_set.id")),
    Column("archive", LargeBinary, nullable=False),
)

#: Tables whose rows are never altered, with their keys.
APPEND_ONLY = {"change_set": ["id"], "change": ["change_set", "position"], "release": ["tag"]}
#: Field of an extraction -> query of its values: extraction, position, value.
FIELDS = {
    **{
        name: f"SELECT id, 1, {name} FROM extraction"
        for name in (
            "objective modality augmentation visualization veracity preprocessing "
            "specialist_comparison traditional_comparison team"
        ).split()
    },
    **{
        name: f"SELECT id, 1, CAST({name} AS TEXT) FROM extraction"
        for name in ("year", "n_experts", "n_specialists")
    },
    "class_type": "SELECT extraction, 1, class_type FROM dataset",
    **{
        name: f"SELECT extraction, 1, CAST({name} AS TEXT) FROM dataset"
        for name in ("n_classes", "n_images", "n_augmented", "n_sources")
    },
    "anatomy": "SELECT extraction, position, anatomy FROM extraction_anatomy",
    "task": "SELECT extraction, position, task FROM extraction_task",
    "software": "SELECT extraction, position, name FROM extraction_software",
    "hardware": (
        "SELECT extraction, position, CASE WHEN number IS NULL THEN device "
        "ELSE CAST(number AS TEXT) || ' ' || device END FROM extraction_hardware"
    ),
    "image_size": (
        "SELECT extraction, position, CAST(width_px AS TEXT) || 'x' || CAST(height_px AS TEXT) "
        "FROM image_size"
    ),
    **{
        f"count_{stage}": (
            "SELECT extraction, position, CAST(number AS TEXT) || ' ' || unit "
            f"FROM sample_count WHERE stage = '{stage}'"
        )
        for stage in ("initial", "positive", "train_val", "test", "positive_test")
    },
    **{
        name: f"SELECT extraction, position, {name} FROM arm WHERE role <> 'benchmark'"
        for name in ("backbone", "approach", "initialisation", "head")
    },
    "benchmarks": "SELECT extraction, position, backbone FROM arm WHERE role = 'benchmark'",
    "evaluation": "SELECT extraction, position, notation FROM evaluation",
}


def fact() -> str:
    """Every value read from a review beside the printed cell that it was read from."""
    fields = " UNION ALL ".join(
        f"SELECT '{name}' AS field, {_named(query)}" for name, query in FIELDS.items()
    )
    return f"""
CREATE VIEW fact AS
SELECT
    e.review, e.study, v.field, v.position, v.value,
    coalesce(p.printed, nullif(fs.statement, '')) AS printed, p.column_name,
    coalesce(p.locator_table, e.locator_table) AS locator_table, e.row_label, e.ref_printed, e.ref,
    e.reading
FROM ({fields}) AS v
JOIN extraction e ON e.id = v.extraction
LEFT JOIN field_source fs ON fs.review = e.review AND fs.field = v.field
    AND fs.locator_table IN ('', e.locator_table)
LEFT JOIN printed_cell p
    ON p.review = e.review AND p.study = e.study AND p.column_name = fs.column_name
WHERE v.value <> '' AND (v.value NOT IN ('unknown', 'unspecified') OR p.printed IS NOT NULL)
"""


def _named(query: str) -> str:
    columns, rest = query.removeprefix("SELECT ").split(" FROM ")
    extraction, position, value = columns.split(", ", 2)
    return f"{extraction} AS extraction, {position} AS position, {value} AS value FROM {rest}"


def _guard() -> None:
    """Let the database itself refuse to alter what is append-only."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        for table in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
                f"ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        return
    for table, key in APPEND_ONLY.items():
        same = " AND ".join(f"{column} = NEW.{column}" for column in key)
        op.execute(  # INSERT OR REPLACE deletes without the trigger of DELETE
            f"CREATE TRIGGER {table}_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _added() -> list[Table]:
    return [table for table in NEW.sorted_tables if table not in EARLIER]


def upgrade() -> None:
    NEW.create_all(op.get_bind(), tables=_added())
    with op.batch_alter_table("claim") as claim:
        claim.add_column(Column("figure", String(60)))
        claim.create_foreign_key(
            "fk_claim_figure_printed_figure", "printed_figure", ["figure"], ["key"]
        )
    _guard()
    op.execute(fact())
    op.execute("DELETE FROM corpus")  # the new tables are filled when the corpus is loaded again


def downgrade() -> None:
    for table, name in (("change_set", "change sets"), ("release", "releases")):
        found = op.get_bind().execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
        if found:
            msg = (
                f"this store holds {found} {name}, which the older form cannot keep: export the "
                "corpus (evtl export) and import it with the older evtl; the history stays here"
            )
            raise RuntimeError(msg)
    op.execute("DELETE FROM corpus")
    op.execute("DROP VIEW fact")
    with op.batch_alter_table("claim") as claim:
        claim.drop_constraint("fk_claim_figure_printed_figure", type_="foreignkey")
        claim.drop_column("figure")
    NEW.drop_all(op.get_bind(), tables=_added())
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
