"""Every page: for everybody, by every means, in every light."""

import re
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect

from evtl.web.app import ROUTES
from evtl.web.pages import MENU
from tests.browser.addresses import NOT_PAGES, PAGES, REFUSED
from tests.browser.conftest import DESKTOP, PATIENCE_MS, PHONE
from tests.browser.house import House
from tests.browser.serving import TOKEN
from tests.browser.watching import Watched, watched

#: Of what axe-core knows: what WCAG 2.2 demands at levels A and AA.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SERIOUS = frozenset({"serious", "critical"})
#: Bytes of a page without its plots and pictures.
MOST_BYTES = 100_000
#: What a page says that is loaded anew once it knows more.
WORKED_OUT = re.compile("This is being worked out|Both states are being asked")
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

#: Light and dark; between them only colours differ.
LIGHTS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SEARCHED = "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})"
#: Bytes of plots and pictures.
PLOTS = """[...document.querySelectorAll('svg, img[src^="data:"]')]
    .reduce((sum, each) => sum + each.outerHTML.length, 0)"""
#: What sticks out of a page sideways, if anything does.
WIDER = """document.documentElement.scrollWidth <= innerWidth ? [] :
    ["the page", ...[...document.querySelectorAll('main *, header *, footer *')].filter(
        each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest('.table *')
    ).map(each => each.outerHTML.slice(0, 150)).slice(0, 5)]"""


@pytest.fixture(scope="module", params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def context(
    request: pytest.FixtureRequest, browser: Browser, house: House
) -> Iterator[BrowserContext]:
    """A profile of who is signed in, on a screen of a size."""
    width, height = request.param
    is_phone = request.param == PHONE
    made = browser.new_context(
        viewport={"width": width, "height": height}, is_mobile=is_phone, has_touch=is_phone
    )
    made.set_default_timeout(PATIENCE_MS)
    made.request.get(f"{house.server.address}/sign-in?token={TOKEN}&to=/sign-in")
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext, house: House) -> Iterator[Watched]:
    """A tab that knows which pages say that something is wrong."""
    with watched(context, house.server.address) as found:
        found.expected = set(REFUSED.values())
        yield found


every_page = pytest.mark.parametrize("example", [each for some in PAGES.values() for each in some])


def test_no_page_is_forgotten() -> None:
    routes = {
        route.path
        for module in ROUTES
        for route in module.router.routes
        if "GET" in route.methods and not route.path.startswith("/api/")
    }
    assert routes | {"404"} == set(PAGES) | NOT_PAGES
    assert {entry.address for entry in MENU} <= set(PAGES)


@every_page
def test_a_page_keeps_nobody_out(tab: Watched, house: House, axe: str, example: str) -> None:
    answer = _opened(tab.page, house.at(example))
    assert answer.status == REFUSED.get(example, 200)
    assert tab.page.locator("h1").count() == 1
    assert tab.page.evaluate(WIDER) == []
    tab.page.evaluate(axe)
    for light in LIGHTS:
        tab.page.emulate_media(color_scheme=light)
        found = tab.page.evaluate(SEARCHED, TAGS)
        serious = [_told(each) for each in found["violations"] if each["impact"] in SERIOUS]
        assert serious == [], light
    plots = tab.page.evaluate(PLOTS)
    assert len(answer.body()) - plots < MOST_BYTES


def _opened(page: Page, address: str) -> Response:
    """Open a page that has nothing to work out any more: it would be loaded anew meanwhile."""
    answer = page.goto(address)
    if page.get_by_text(WORKED_OUT).count():
        expect(page.get_by_text(WORKED_OUT)).to_have_count(0)
        answer = page.goto(address)
    assert answer is not None
    return answer


def _told(violation: dict[str, Any]) -> str:
    nodes = (f"  {node['html'][:200]}\n{node['failureSummary']}" for node in violation["nodes"][:5])
    return "\n".join([f"{violation['id']}: {violation['help']}", *nodes])


@every_page
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(
    tab: Watched, house: House, example: str
) -> None:
    page = tab.page
    _opened(page, house.at(example))
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
