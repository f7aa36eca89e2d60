"""A browser, and a server for it; tests skip where the browser or what it runs is missing."""

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from evtl.jobs.locks import is_taken
from evtl.jobs.queue import Queue
from tests.browser.house import House, furnished
from tests.browser.serving import TOKEN, Server
from tests.browser.watching import Watched, watched
from tests.integration.web.trainings import until

HERE = Path(__file__).parent
#: Nothing that a browser does by itself, such as looking for updates.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Where `make` puts it.
AXE = Path(sys.prefix) / "npm/node_modules/axe-core/axe.min.js"
#: Milliseconds for a page on a machine that has much else to do.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
DESKTOP, PHONE = (1280, 900), (360, 740)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    return found


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that looks for what keeps people out."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: make axe")
    return AXE.read_text(encoding="utf-8")


# Of the package, not of the session: while it is open, nothing else can run an event loop.
@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests of this folder."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture
def begin(template: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers in the test's folder, all on the same store; they end with the test."""
    begun: list[Server] = []
    shutil.copy(template, tmp_path / "evtl.sqlite")

    def start(port: int = 0, **env: str) -> Server:
        begun.append(Server(tmp_path, port, env))
        return begun[-1]

    yield start
    for server in begun:
        if server.lives:
            server.end()
    _end_trainings(tmp_path / "runs")
    assert not any(server.faults() for server in begun[:1]), begun[0].faults()


def _end_trainings(runs: Path) -> None:
    """They outlive their server, but not the test."""
    for job in Queue(runs).open():
        job.cancel()
        until(partial(_is_free, job.lock))


def _is_free(lock: Path) -> bool:
    return not is_taken(lock)


@pytest.fixture
def server(begin: Callable[..., Server]) -> Server:
    """One server of the test's own."""
    return begin()


@pytest.fixture(scope="package")
def house(
    tmp_path_factory: pytest.TempPathFactory, template: Path, chromium: str
) -> Iterator[House]:
    """One server for all pages, that nothing changes."""
    assert chromium
    made = furnished(tmp_path_factory.mktemp("house"), template)
    yield made
    made.server.end()
    assert not made.server.faults(), made.server.faults()


@pytest.fixture
def context(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A browser profile of the test's own, that knows where the server is."""
    with_address = browser.new_context(
        base_url=server.address, viewport={"width": DESKTOP[0], "height": DESKTOP[1]}
    )
    with_address.set_default_timeout(PATIENCE_MS)
    yield with_address
    with_address.close()


@pytest.fixture
def tab(context: BrowserContext, server: Server) -> Iterator[Watched]:
    """A tab that fails the test where something goes wrong in it."""
    with watched(context, server.address) as found:
        yield found


@pytest.fixture
def page(tab: Watched) -> Page:
    """The page in that tab."""
    return tab.page


@pytest.fixture
def signed_in(page: Page) -> Page:
    """The page of who showed the token."""
    page.goto(f"/sign-in?token={TOKEN}")
    return page
