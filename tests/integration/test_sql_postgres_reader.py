"""The role that asks PostgreSQL: made once, refreshed, shared, and refused where it can write."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from evidence import postgres, questions
from evidence.errors import EvidenceError
from evidence.store import Store
from tests.postgres import Server


def test_many_may_prepare_at_once(team: Store) -> None:
    stores = [Store(team.url) for _ in range(16)]

    def start(store: Store) -> Any:
        with store.engine.begin() as connection:  # without the store's own turns
            postgres.prepare_reader(connection)
        return questions.question(store, "SELECT count(*) FROM review").rows

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(start, stores)) == {((4,),)}


def test_a_question_is_answered_while_somebody_writes(team: Store) -> None:
    questions.question(team, "SELECT 1")
    with team.begin() as connection:
        connection.execute(text("UPDATE study SET year = 1001"))
        assert questions.question(team, "SELECT min(year) > 1001 FROM study").rows == ((1,),)


def test_tables_may_change_between_two_preparations(team: Store) -> None:
    first = postgres.reader_url(team)
    with team.begin() as connection:
        postgres.withdraw_views(connection)
        connection.execute(text("ALTER TABLE run_metric DROP COLUMN low"))
        connection.execute(text("ALTER TABLE run_metric ADD COLUMN lowest float"))
        postgres.prepare_reader(connection)
    assert questions.question(team, "SELECT lowest FROM run_metric").columns == ("lowest",)
    assert postgres.reader_url(team) == first


def test_a_role_that_outlived_its_database_gets_a_new_password(team: Store) -> None:
    first = postgres.reader_url(team)
    with team.begin() as connection:
        connection.execute(text("DROP SCHEMA evtl_private CASCADE"))
        connection.execute(text("DROP SCHEMA ask CASCADE"))
    assert postgres.reader_url(team).username == first.username
    assert postgres.reader_url(team).password != first.password
    assert questions.question(team, "SELECT 1").rows == ((1,),)


@pytest.fixture(scope="module")
def modest(postgres_server: Server) -> Iterator[Store]:
    """Store of an owner who may not create roles."""
    with postgres_server.database() as url:
        owner = url.set(username=f"modest_{url.database}")
        with postgres_server.administer() as connection:
            connection.execute(f"CREATE ROLE {owner.username} LOGIN PASSWORD '{owner.password}'")
            connection.execute(f"ALTER DATABASE {owner.database} OWNER TO {owner.username}")
        yield Store(owner)


def test_where_no_role_may_be_made_the_message_says_what_to_ask_for(
    modest: Store, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EvidenceError, match="ask the administrator to run") as caught:
        questions.question(modest, "SELECT 1")
    _, grant, create, variable = str(caught.value).replace("...", "chosen").splitlines()
    with postgres_server.administer() as connection:
        connection.execute(grant)
        connection.execute(create)
    name, _, url = variable.removeprefix("and set ").partition("=")
    monkeypatch.setenv(name, url)
    assert questions.question(modest, "SELECT count(*) FROM review").rows == ((4,),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "can do more than read"),
        ({"password": "wrong"}, "cannot log in.*pg_hba.conf"),
        ({"username": "nobody"}, "ask the administrator to run"),
    ],
)
def test_a_reader_that_is_none_is_not_asked_as(
    modest: Store, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    url = modest.engine.url.set(**change)
    monkeypatch.setenv(postgres.VARIABLE, url.render_as_string(hide_password=False))
    with pytest.raises(EvidenceError, match=message):
        questions.question(modest, "SELECT 1")


def test_a_reader_that_is_no_url_is_named(modest: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(postgres.VARIABLE, "nonsense")
    with pytest.raises(EvidenceError, match="EVTL_READER_URL is no database URL"):
        questions.question(modest, "SELECT 1")
