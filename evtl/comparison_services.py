"""The use case that sets two runs beside each other. Nothing here prints."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.measures.comparison import Comparison


def compare_runs(first: Path, second: Path) -> "Comparison":
    """How far two runs are apart on the test images of both.

    Raises
    ------
    TrainingError
        They cannot be compared; says why.
    """
    from trainer.measures import comparison  # noqa: PLC0415  (imports torch)

    return comparison.compare_runs(first, second)
