"""Lists a page at a time, none of them longer than a page may be."""

import html
import re

import pytest

from evtl.web.paging import MOST_PER_PAGE, MOST_SHOWN
from tests.integration.web.visiting import Visit

#: Bytes of a page without plots.
MOST_BYTES = 100_000
LISTS = ("/studies", "/evidence/reproduction", "/evidence/disagreements", "/runs?shipped=true")


def with_rows(address: str, n: int) -> str:
    return f"{address}{'&' if '?' in address else '?'}per_page={n}"


@pytest.mark.parametrize("address", LISTS)
def test_the_longest_pages_that_can_be_asked_for_stay_short(visit: Visit, address: str) -> None:
    further: str | None = with_rows(address, MOST_SHOWN)
    while further:
        page = visit.shown(further)
        assert len(page.encode()) < MOST_BYTES, further
        found = re.search(r'<a rel="next" href="([^"]+)"', page)
        further = html.unescape(found[1]) if found else None


@pytest.mark.parametrize("address", [*LISTS, "/runs"])
def test_a_longer_page_is_refused(visit: Visit, address: str) -> None:
    assert visit.get(with_rows(address, MOST_SHOWN + 1)).status_code == 422


def test_a_program_may_ask_for_more_at_once(visit: Visit) -> None:
    found = visit.get(with_rows("/api/studies", MOST_PER_PAGE)).json()
    assert MOST_SHOWN < len(found["items"]) == min(found["total"], MOST_PER_PAGE)
