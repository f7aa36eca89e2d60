"""Backbones say how well they do on ImageNet, and whose figure that is.

Going back loses nothing: where change sets hold rows of backbones in the newer form, the way back
is refused.
"""

from alembic import op
from sqlalchemy import Column, Float, Text, text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("backbone", Column("imagenet_top1", Float))
    op.add_column(
        "backbone", Column("imagenet_source", Text, nullable=False, server_default=text("''"))
    )
    op.execute("DELETE FROM corpus")  # the new columns are filled when the corpus is loaded again


def downgrade() -> None:
    query = "SELECT count(DISTINCT change_set) FROM change WHERE file = 'backbones.csv'"
    if found := op.get_bind().execute(text(query)).scalar_one():
        msg = (
            f"this store holds {found} change sets of backbones, which the older form cannot keep: "
            "export the corpus (evtl export) and import it with the older evtl; the history stays "
            "here"
        )
        raise RuntimeError(msg)
    op.execute("DELETE FROM corpus")
    op.drop_column("backbone", "imagenet_source")
    op.drop_column("backbone", "imagenet_top1")
