"""A synthetic breast-ultrasound set for demonstrations. No image shows a person.

Background: fully developed speckle (Rayleigh envelope) over tissue layers and depth attenuation.
Benign lesions are smooth ovals with a bright rim and enhancement behind them; malignant ones are
irregular, taller, without a rim and with a shadow. Every sign is drawn with overlap between the
classes, so that no model should be perfect.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter

from trainer.errors import TrainingError

SIZE_PX = 160
IMAGES_PER_PATIENT = (1, 3)
CLASSES = ("benign", "malignant")
NOTICE = """SYNTHETIC DATA. These images were drawn by a program (evtl sample-data); they show no
person and no tissue. They serve to try the software, never to judge a model or a patient.
"""

Plane = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Lesion:
    """How a lesion looks; lengths in fractions of the image, strengths from 0 to 1."""

    across: float
    tall: float
    wobble: float
    rim: float
    behind: float
    dark: float


def write_sample(folder: Path, *, n_images: int, seed: int) -> int:
    """Write images in class folders and ``labels.csv`` with patient ids.

    Parameters
    ----------
    folder : pathlib.Path
        New or empty.
    n_images : int
        At least 20.
    seed : int
        The same seed writes the same files.

    Returns
    -------
    int
        Number of images written.

    Raises
    ------
    TrainingError
        Too few images are asked for, or the folder is not empty or cannot be written.
    """
    if n_images < 20:
        msg = f"--n {n_images}: at least 20 images are needed to split them"
        raise TrainingError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            msg = f"{folder} is not empty; name a new folder"
            raise TrainingError(msg)
        rows = _write_images(folder, n_images, np.random.default_rng(seed))
        (folder / "SYNTHETIC.txt").write_text(NOTICE, encoding="utf-8")
        with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows([("file", "label", "group"), *rows])
    except OSError as error:
        msg = f"{folder}: {error.strerror}"
        raise TrainingError(msg) from error
    return len(rows)


def _write_images(
    folder: Path, n_images: int, rng: np.random.Generator
) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    patient = 0
    while len(rows) < n_images:
        patient += 1
        label = CLASSES[patient % 2]
        lesion = draw_lesion(label, rng)
        count = int(rng.integers(*IMAGES_PER_PATIENT, endpoint=True))
        for _ in range(min(count, n_images - len(rows))):
            name = f"{label}/synthetic_{len(rows):05d}.png"
            (folder / label).mkdir(exist_ok=True)
            Image.fromarray(draw_image(lesion, rng)).save(folder / name)
            rows.append((name, label, f"synthetic-patient-{patient:04d}"))
    return rows


def draw_lesion(label: str, rng: np.random.Generator) -> Lesion:
    """Signs of one patient's lesion, with overlap between the classes."""
    sign = 1.0 if label == "malignant" else -1.0

    def around(middle: float, shift: float, spread: float) -> float:
        return float(rng.normal(middle + sign * shift, spread))

    return Lesion(
        across=float(rng.uniform(0.10, 0.20)),
        tall=around(0.80, 0.10, 0.16),
        wobble=max(0.0, around(0.11, 0.06, 0.06)),
        rim=max(0.0, around(0.16, -0.10, 0.12)),
        behind=around(0.0, -0.15, 0.20),
        dark=float(rng.uniform(0.35, 0.60)),
    )


def draw_image(lesion: Lesion, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One view of a lesion: ``(SIZE_PX, SIZE_PX)`` grey values."""
    down, across = np.mgrid[0:SIZE_PX, 0:SIZE_PX] / SIZE_PX
    centre = rng.uniform(0.35, 0.65), rng.uniform(0.32, 0.55)
    radius = _relative_radius(down, across, centre, lesion, rng)
    inside = 1 / (1 + np.exp((radius - 1) * 14))
    echo = _tissue(down, rng) * (1 - lesion.dark * inside)
    echo += lesion.rim * np.exp(-(((radius - 1.05) / 0.10) ** 2))
    below = (np.abs(across - centre[0]) < lesion.across * 0.8) & (down > centre[1])
    echo *= 1 + lesion.behind * gaussian_filter(below * (radius > 1.0) * 1.0, 4)
    speckle = gaussian_filter(rng.rayleigh(1.0, (SIZE_PX, SIZE_PX)), 0.9)
    grey = np.log1p(6 * np.clip(echo, 0.02, None) * speckle) / np.log(7)
    return np.asarray(np.clip(grey * rng.uniform(0.75, 0.95), 0, 1) * 255, dtype=np.uint8)


def _relative_radius(
    down: Plane,
    across: Plane,
    centre: tuple[float, float],
    lesion: Lesion,
    rng: np.random.Generator,
) -> Plane:
    """Distance from the lesion's centre in units of its outline."""
    x = (across - centre[0]) / lesion.across
    y = (down - centre[1]) / (lesion.across * lesion.tall)
    angle = np.arctan2(y, x)
    outline = np.ones_like(angle)
    for wave in range(2, 9):
        outline += lesion.wobble / np.sqrt(wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    return np.asarray(np.hypot(x, y) / np.clip(outline, 0.3, None))


def _tissue(down: Plane, rng: np.random.Generator) -> Plane:
    """Layers, soft clumps and attenuation with depth."""
    layers = 0.12 * np.sin(down * rng.uniform(8, 16) + rng.uniform(0, 2 * np.pi))
    clumps = gaussian_filter(rng.normal(size=down.shape), 7) * 2.2
    return np.asarray((0.62 + layers + clumps) * np.exp(-rng.uniform(0.3, 1.0) * down))
