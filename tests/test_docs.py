"""What the documentation and the repository may and may not hold."""

import re
import subprocess
from pathlib import Path
from typing import Any

import typer.main

from evtl.cli import app

ROOT = Path(__file__).parents[1]
PICTURES = (".png",)


def tracked() -> list[Path]:
    """Texts of the repository."""
    found = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [ROOT / name for name in found.splitlines() if not name.endswith(PICTURES)]


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    group: Any = typer.main.get_group(app)
    for name in group.list_commands(None):
        assert f"evtl {name}" in readme, name


def test_no_file_holds_an_address_of_a_package_registry_or_a_path_of_a_machine() -> None:
    registry = re.compile(r"files\.pythonhosted\.org|pypi\.org/(simple|packages)|/simple/")
    machine = re.compile(r"(?<![\w.])/(home|root|Users|work)/\w")
    for path in tracked():
        text = path.read_text(encoding="utf-8")
        if path != Path(__file__):
            assert not registry.search(text), path
            assert not machine.search(text), path


def test_no_module_is_longer_than_400_lines() -> None:
    for path in tracked():
        if path.suffix == ".py" and "versions" not in path.parts:
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path


def test_constraints_hold_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[\w.\-]+==[\w.+]+", line), line
