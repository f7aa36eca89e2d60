"""What was noticed of images while they were prepared is told in the result."""

from pathlib import Path

import numpy as np

from tests.unit.trainer.pictures import saved
from tests.unit.trainer.toys import plan_of
from trainer.backbones import Preprocessing
from trainer.images import read_images
from trainer.preparing.preparation import prepare


def test_images_that_show_nothing_are_told_with_the_first_name(
    class_folders: Path, steps: Preprocessing
) -> None:
    for name in ("black", "white"):
        value = 255 * (name == "white")
        saved(class_folders / "b" / f"{name}.png", np.full((20, 20), value, dtype=np.uint8))
    found = prepare(read_images(class_folders), plan_of(), steps, lambda *_: None)
    (told,) = (note for note in found.summary.notes if "show nothing" in note)
    assert told.startswith("2 images show nothing, they have one value everywhere, the first b/bl")
