"""Fixtures: a store of its own for each test, records made by hand, and the rule on skips."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from evidence import queries
from evidence.records import ArmRecord, Corpus, Evaluation, Study
from evidence.store import Store
from tests.postgres import Server, postgres_server, postgres_url

__all__ = ("postgres_server", "postgres_url")
#: Markers of tests that may be skipped anywhere: they need what the project does not hold.
MAY_SKIP = ("data", "gpu")
_skipped: list[str] = []
# No test is about speed: a slow machine must not fail one.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a PostgreSQL server."""
    for item in items:
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember skips that continuous integration should not have."""
    if report.skipped and not any(marker in report.keywords for marker in MAY_SKIP):
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail continuous integration where a test that it should run was skipped."""
    if os.environ.get("EVTL_CI") and _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated and filled database, made once."""
    path = tmp_path_factory.mktemp("template") / "evtl.sqlite"
    Store(f"sqlite:///{path}")
    return path


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's store, cache, weights and network."""
    monkeypatch.setenv("EVTL_DATABASE_URL", f"sqlite:///{tmp_path / 'own' / 'evtl.sqlite'}")
    monkeypatch.setenv("EVTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("EVTL_CACHE_GB", raising=False)
    monkeypatch.delenv("EVTL_COMPILE", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("EVTL_WEIGHTS_DIR", raising=False)
    monkeypatch.delenv("EVTL_READER_URL", raising=False)


@pytest.fixture
def store(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A filled store of the test's own, which the command line uses too."""
    path = tmp_path / "evtl.sqlite"
    shutil.copy(template, path)
    monkeypatch.setenv("EVTL_DATABASE_URL", f"sqlite:///{path}")
    return Store()


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """Name of a migrated and filled PostgreSQL database, made once."""
    with postgres_server.database() as url:
        Store(url)
        yield str(url.database)


@pytest.fixture
def team(
    postgres_server: Server, postgres_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """A filled PostgreSQL store of the test's own, which the command line uses too."""
    with postgres_server.database(postgres_template) as url:
        monkeypatch.setenv("EVTL_DATABASE_URL", url.render_as_string(hide_password=False))
        yield Store()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest) -> Store:
    """A filled store of the test's own: the test runs on SQLite and on PostgreSQL."""
    name = "store" if request.param == "sqlite" else "team"
    found: Store = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="session")
def corpus(template: Path) -> Corpus:
    """The shipped corpus."""
    return queries.corpus(Store(f"sqlite:///{template}"))


@pytest.fixture(scope="session")
def arms(template: Path) -> tuple[ArmRecord, ...]:
    """The arms of the shipped corpus as records, in the order of the extractions."""
    with Store(f"sqlite:///{template}").connect() as connection:
        return queries.arms(connection)


@pytest.fixture
def make_arm() -> Callable[..., ArmRecord]:
    """Arms with the fields that a test cares about."""

    def make(study: str = "doe-2020", **fields: object) -> ArmRecord:
        base: dict[str, object] = {
            "study": Study(key=study, first_author="Doe", year=2020),
            "review": "morid2022",
            "locator": "morid2022, Table S5, Doe et al. 2020 [1]",
            "role": "winner",
            "backbone": "VGG-16",
            "family": "VGGNet",
            "approach": "feature_extractor",
            "initialisation": "pretrained",
            "head": "linear",
            "modality": "ultrasound",
            "anatomy": ("breast",),
            "tasks": ("classification",),
            "n_classes": 2,
            "n_images": 1000,
            "n_augmented": None,
            "augmentation": "none",
            "visualization": "none",
            "evaluations": (Evaluation(metric="auc", operator="=", value=0.9),),
        }
        return ArmRecord.model_validate(base | fields)

    return make
