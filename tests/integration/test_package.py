"""A wheel built from the tree carries corpus and migrations and works in an empty directory."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from evidence.shipped import FILES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_carries_corpus_migrations_rules_and_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"evidence/data/{name}" for name in FILES} <= names
    assert "evidence/migrations/env.py" in names
    assert "evidence/migrations/versions/0001_evidence_store.py" in names
    assert "recommender/rules.toml" in names
    assert "trainer/templates/report.html" in names
    assert {"evtl/web/templates/base.html", "evtl/web/static/style.css"} <= names
    assert not any(name.startswith(("tests/", "data/", "migrations/")) for name in names)


def test_the_wheel_answers_in_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    """Unpacked apart from the tree, first use of a new home."""
    site, home = tmp_path / "site", tmp_path / "home"
    zipfile.ZipFile(wheel).extractall(site)
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("EVTL_", "XDG_"))}
    environment |= {"HOME": str(home), "PYTHONPATH": str(site)}
    code = "import evtl.cli, evidence; print(evidence.__file__); evtl.cli.main()"
    found = subprocess.run(
        [sys.executable, "-P", "-c", code, "recommend", "--modality", "ultrasound", "--n", "800"],
        cwd=home, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.startswith(str(site))
    assert "Certainty" in found.stdout
    assert list(home.rglob("evtl.sqlite"))
