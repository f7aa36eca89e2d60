"""Tables of what reviews say of themselves: printed figures, flows, agreement, disagreements."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    String,
    Table,
    Text,
)

from evidence import vocabulary
from evidence.schema import metadata, one_of

flow_step = Table(
    "flow_step",
    metadata,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("n_printed", Integer),
    Column("n_derived", Integer),
    Column("section", Text, nullable=False),
    Column("note", Text, nullable=False),
    one_of("kind", vocabulary.FlowKind),
)

rater_agreement = Table(
    "rater_agreement",
    metadata,
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

backbone_fact = Table(
    "backbone_fact",
    metadata,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("backbone", ForeignKey("backbone.name"), primary_key=True),
    Column("fact", String(40), primary_key=True),
    Column("section", String(120), primary_key=True),
    Column("value", Text, nullable=False),
    Column("unit", String(20), nullable=False),
    Column("printed", Text, nullable=False),
)

disagreement_side = Table(
    "disagreement_side",
    metadata,
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

disagreement_modality = Table(
    "disagreement_modality",
    metadata,
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

disagreement_anatomy = Table(
    "disagreement_anatomy",
    metadata,
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

crosswalk = Table(
    "crosswalk",
    metadata,
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

#: Which column of a printed table a field of an extraction was read from, or which statement of
#: the review it follows from; an empty table stands for every table.
field_source = Table(
    "field_source",
    metadata,
    Column("review", ForeignKey("review.key"), primary_key=True),
    Column("field", String(40), primary_key=True),
    Column("locator_table", String(40), primary_key=True),
    Column("column_name", String(40), primary_key=True),
    Column("statement", Text, nullable=False),
)
