"""Whatever is sent to the API: no fault of ours, and answers that keep to the description.

Examples are drawn from the description itself, right ones and wrong ones, the same in every run.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from evtl.web.app import create_app
from evtl.web.settings import Settings
from tests.integration.web.visiting import TOKEN
from tests.unit.trainer.model_runs import LENET, write_run

ADDRESS = "http://127.0.0.1:8000"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: Of each operation; what is never reached by chance is named.
EXAMPLES, NIGHTLY_EXAMPLES = 20, 500
KNOWN = {
    "run": "tried", "key": "shin-2016", "number": 1, "name": "result.json", "kind": "years",
}  # fmt: skip
DESCRIPTION = create_app(Settings(token=TOKEN)).openapi()
OPERATIONS = [
    pytest.param(path, method, id=f"{method.upper()} {path}")
    for path, methods in DESCRIPTION["paths"].items()
    for method in methods
]


class Described:
    """The app and its description as schemathesis reads it, with a store of its own."""

    def __init__(self, place: Path, template: Path) -> None:
        self.database = place / "evtl.sqlite"
        shutil.copy(template, self.database)
        for name in ("images", "runs"):
            (place / name).mkdir()
        write_run(place / "runs" / "tried", backbone=LENET)
        app = create_app(Settings(token=TOKEN, data_root=place / "images", runs=place / "runs"))
        self.schema = schemathesis.openapi.from_asgi(
            "/openapi.json", app, headers={"host": "127.0.0.1"}
        )

    def attack(self, path: str, method: str, n_examples: int) -> set[int]:
        """Statuses that were answered; every answer kept to the description."""
        operation = self.schema[path][method]
        strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
        statuses: set[int] = set()

        @settings(
            max_examples=n_examples, derandomize=True, database=None, deadline=None,
            phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(st.one_of(strategies), st.booleans())
        def sent(case: Case[Any], known: bool) -> None:
            if known:
                given_parts: dict[str, Any] = case.path_parameters
                given_parts.update({n: v for n, v in KNOWN.items() if n in given_parts})
            headers = {"authorization": f"Bearer {TOKEN}", "host": "127.0.0.1:8000"}
            found = case.call(base_url=ADDRESS, headers=headers)
            statuses.add(found.status_code)
            case.validate_response(found, checks=CHECKS)
            if found.status_code >= 400:
                assert found.headers["content-type"] == ["application/problem+json"]

        sent()
        return statuses


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Described]:
    """One app for all operations."""
    yield Described(tmp_path_factory.mktemp("described"), template)
    shutdown_lifespans()


@pytest.fixture(autouse=True)
def _its_store(described: Described, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVTL_DATABASE_URL", f"sqlite:///{described.database}")


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_operation_answers_as_described_whatever_is_sent(
    described: Described, path: str, method: str
) -> None:
    assert described.attack(path, method, EXAMPLES)


@pytest.mark.nightly
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_operation_answers_as_described_whatever_is_sent_for_a_night(
    described: Described, path: str, method: str
) -> None:
    assert described.attack(path, method, NIGHTLY_EXAMPLES)
