"""What programs may ask for, as pages."""

from html import unescape

from fastapi import FastAPI

from evtl.web.described import operations
from tests.integration.web.visiting import Visit

#: Bytes of a page without plots.
MOST_BYTES = 100_000


def description_of(visit: Visit) -> dict[str, object]:
    app = visit.client.app
    assert isinstance(app, FastAPI)
    return app.openapi()


def test_every_operation_is_listed_and_told_in_full_on_a_short_page(visit: Visit) -> None:
    found = operations(description_of(visit), "http://127.0.0.1:8000")
    assert len(found) > 20
    overview = visit.shown("/docs")
    assert len(overview) < MOST_BYTES
    for each in found:
        assert f'href="/docs/{each.group}#{each.anchor}"' in overview
    for group in {each.group for each in found}:
        page = visit.shown(f"/docs/{group}")
        assert len(page) < MOST_BYTES
        for each in (each for each in found if each.group == group):
            assert f'id="{each.anchor}"' in page
            assert each.example in unescape(page)
        assert len(page.split('id="')) == len({part.split('"')[0] for part in page.split('id="')})


def test_every_operation_says_what_it_does_and_what_its_parameters_mean(visit: Visit) -> None:
    found = operations(description_of(visit), "")
    silent = [each.path for each in found if not each.text]
    silent += [
        f"{each.method} {each.path}: {parameter.name}"
        for each in found
        for parameter in each.parameters
        if not parameter.text and parameter.place != "path"
    ]
    assert silent == []


def test_links_to_fields_lead_somewhere(visit: Visit) -> None:
    groups = {each.group for each in operations(description_of(visit), "")}
    for group in groups:
        page = visit.shown(f"/docs/{group}")
        for part in page.split('href="#')[1:]:
            assert f'id="{part.split(chr(34))[0]}"' in page


def test_the_description_itself_is_linked_and_a_group_that_is_not_there_is_not_found(
    visit: Visit,
) -> None:
    assert 'href="/openapi.json"' in visit.shown("/docs")
    assert visit.get("/openapi.json").json()["info"]["title"] == "evtl"
    assert visit.get("/docs/nothing").status_code == 404
