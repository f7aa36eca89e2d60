"""Every page: for everybody, by every means, in every light."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from evtl.web.app import ROUTES
from evtl.web.pages import MENU
from tests.browser.addresses import NOT_PAGES, PAGES
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.house import furnish
from tests.browser.serving import TOKEN, Server
from tests.browser.watching import Watched, watched

#: Of what axe-core knows: what WCAG 2.2 demands at levels A and AA.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SERIOUS = frozenset({"serious", "critical"})
#: Bytes of a page without its plots and pictures.
MOST_BYTES = 100_000
#: What the keyboard must reach.
CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
#: Presses of the Tab key after which there is a trap.
MOST_STOPS = 1500
#: Numbers the controls that Tab should come by; of radio buttons it comes by the chosen one.
NUMBERED = """controls => [...document.querySelectorAll(controls)].filter(each =>
    !each.disabled && each.tabIndex >= 0 && each.checkVisibility({visibilityProperty: true})
    && !(each.type === 'radio' && !each.checked)
).map((each, number) => { each.dataset.stop = number; }).length"""
STOP = """() => { const at = document.activeElement, seen = getComputedStyle(at);
    return {number: at.dataset.stop, tag: at.tagName, html: at.outerHTML.slice(0, 200),
            shown: seen.outlineStyle !== 'none' && parseFloat(seen.outlineWidth) >= 2}; }"""


class House(NamedTuple):
    """A server that has something to show on every page."""

    server: Server
    run: str

    def at(self, route: str) -> str:
        """Address of an example of a page."""
        return self.server.address + PAGES[route].format(run=self.run)


@pytest.fixture(scope="package")
def house(
    tmp_path_factory: pytest.TempPathFactory, template: Any, chromium: str
) -> Iterator[House]:
    """One server for all pages, that nothing changes."""
    assert chromium
    place = tmp_path_factory.mktemp("house")
    run = furnish(place, template)
    server = Server(place)
    yield House(server, run)
    server.end()
    assert not server.faults(), server.faults()


@pytest.fixture
def tab(request: pytest.FixtureRequest, browser: Browser, house: House) -> Iterator[Watched]:
    """A tab of who is signed in, of a size and in a light that the test may choose."""
    size: tuple[int, int]
    light: Literal["light", "dark"]
    size, light = getattr(request, "param", (DESKTOP, "light"))
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=light,
        is_mobile=size == PHONE, has_touch=size == PHONE,
    )  # fmt: skip
    with watched(context, house.server.address) as found:
        found.page.goto(f"{house.server.address}/sign-in?token={TOKEN}&to=/sign-in")
        yield found
    context.close()


every_page = pytest.mark.parametrize("route", list(PAGES))


def test_no_page_is_forgotten() -> None:
    routes = {
        route.path
        for module in ROUTES
        for route in module.router.routes
        if "GET" in route.methods and not route.path.startswith("/api/")
    }
    assert routes == set(PAGES) | NOT_PAGES
    assert {entry.address for entry in MENU} <= set(PAGES)


@every_page
@pytest.mark.parametrize(
    "tab",
    [
        pytest.param((size, light), id=f"{name}-{light}")
        for name, size in (("desktop", DESKTOP), ("phone", PHONE))
        for light in ("light", "dark")
    ],
    indirect=True,
)
def test_a_page_keeps_nobody_out(tab: Watched, house: House, axe: str, route: str) -> None:
    tab.page.goto(house.at(route))
    tab.page.evaluate(axe)
    found = tab.page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", TAGS
    )
    assert [_told(each) for each in found["violations"] if each["impact"] in SERIOUS] == []
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.page.locator("h1").count() == 1


def _told(violation: dict[str, Any]) -> str:
    nodes = (f"  {node['html'][:200]}\n{node['failureSummary']}" for node in violation["nodes"][:5])
    return "\n".join([f"{violation['id']}: {violation['help']}", *nodes])


@every_page
def test_a_page_is_short(tab: Watched, house: House, route: str) -> None:
    answer = tab.page.goto(house.at(route))
    assert answer is not None
    assert answer.status == 200
    plots = tab.page.evaluate(
        "[...document.querySelectorAll('svg, img[src^=\"data:\"]')]"
        ".reduce((sum, each) => sum + each.outerHTML.length, 0)"
    )
    assert len(answer.body()) - plots < MOST_BYTES


@every_page
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(
    tab: Watched, house: House, route: str
) -> None:
    page = tab.page
    page.goto(house.at(route))
    wanted = page.evaluate(NUMBERED, CONTROLS)
    reached = _walk(page, wanted)
    assert reached == set(range(wanted))


def _walk(page: Page, wanted: int) -> set[int]:
    """Numbers of the controls that Tab comes by, each of which must show that it has the focus."""
    reached: set[int] = set()
    for _ in range(min(3 * wanted + 10, MOST_STOPS)):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop["tag"] in {"BODY", "HTML"} or (stop["number"] == "0" and reached):
            break
        if stop["number"] is not None:
            assert stop["shown"], stop["html"]
            reached.add(int(stop["number"]))
    return reached


def test_the_first_stop_leads_past_the_menu(tab: Watched, house: House) -> None:
    tab.page.goto(house.at("/sign-in"))
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    assert tab.page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.querySelector('main').contains(document.activeElement)")
