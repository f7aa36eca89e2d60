"""Preprocessing of the toy network, and small images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.unit.trainer.toys import TOY_PX
from trainer.backbones import Preprocessing


@pytest.fixture
def steps() -> Preprocessing:
    """Sixteen pixels, values from -1 to 1."""
    return Preprocessing(TOY_PX, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """Thirty small images in three class folders."""
    rng = np.random.default_rng(0)
    root = tmp_path / "images"
    for label in ("a", "b", "c"):
        (root / label).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 255, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number}.png")
    return root
