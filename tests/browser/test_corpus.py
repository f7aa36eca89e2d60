"""The corpus in a browser: a study that is added, its traces, and how it is taken back."""

from playwright.sync_api import Page, expect

from tests.browser.addresses import QUESTION
from tests.browser.serving import TOKEN
from tests.browser.watching import Watched
from tests.integration.web.studies import filled

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def add_study(page: Page, **changed: str) -> str:
    """Type a study in and store it; returns its key."""
    page.goto("/add-study")
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    typed = filled(**changed)
    act = typed.pop("act")
    for name, text in typed.items():
        field = page.locator(f"form.study [name='{name}']")
        if field.evaluate("each => each.tagName") == "SELECT":
            field.select_option(text)
        else:
            field.fill(text)
    page.locator(f"button[value='{act}']").click()
    page.wait_for_url("**/studies/*")
    return page.url.rpartition("/")[2]


def explained(page: Page) -> str:
    """All that an answer rests on, in words."""
    page.goto(f"/explain?{QUESTION}")
    return page.locator("main").inner_text()


def test_a_study_that_is_added_is_evidence_until_it_is_undone(signed_in: Page) -> None:
    page = signed_in
    before = explained(page)
    key = add_study(page)
    assert key not in before
    with_it = explained(page)
    assert with_it != before
    expect(page.locator(f"a[href^='/studies/{key}']").first).to_be_attached()
    page.goto("/changes")
    page.locator("main a[href^='/changes/']").first.click()
    page.get_by_label("Reason").fill("it was a test")
    page.get_by_role("button", name="Undo change set").click()
    page.wait_for_url("**/changes/*")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert explained(page) == before


def test_scripts_typed_into_a_study_are_words_on_every_page(tab: Watched, signed_in: Page) -> None:
    page = signed_in
    page.on("dialog", lambda dialog: tab.faults.append(f"dialog: {dialog.message}"))
    key = add_study(page, p__title=HOSTILE, reason=HOSTILE, by=HOSTILE[:60])
    for address in (f"/studies/{key}", "/studies?words=alert", "/changes", f"/studies/{key}/edit",
                    f"/recommend?{QUESTION}", f"/explain?{QUESTION}", "/evidence/disagreements",
                    "/evidence/forest?modality=ultrasound"):  # fmt: skip
        page.goto(address)
        assert page.locator("main script, main img[src='x']").count() == 0
    page.goto(f"/studies/{key}")
    expect(page.locator("main")).to_contain_text("<script>alert(1)</script>")
    expect(page.locator("main")).not_to_contain_text("49")


def test_an_attack_in_sql_is_refused_and_changes_nothing(tab: Watched, page: Page) -> None:
    counting = "SELECT count(*) FROM study"
    tab.expected.add(400)
    before = answered(page, counting)
    for attack in ("DELETE FROM study", "SELECT 1; DROP TABLE study", "PRAGMA writable_schema=1",
                   "ATTACH 'x.sqlite' AS x", "SELECT load_extension('x')"):  # fmt: skip
        ask(page, attack)
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("textarea")).to_have_value(attack)
    assert answered(page, counting) == before


def ask(page: Page, query: str) -> None:
    """Type a question in SQL and ask it."""
    page.goto("/sql")
    page.locator("textarea").fill(query)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_load_state()


def answered(page: Page, query: str) -> str:
    """The only cell of an answer."""
    ask(page, query)
    return page.locator("main tbody td").last.inner_text()


def test_who_is_not_signed_in_is_led_to_the_entrance_and_back(tab: Watched, page: Page) -> None:
    page.goto("/add-study")
    expect(page).to_have_url(f"{tab.address}/sign-in?to=/add-study")
    page.get_by_label("Token").fill("guessed-guessed-guessed")
    tab.expected.add(403)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Add a study")).to_be_visible()
