"""From a question to a trained model, as a person does it: with a mouse, and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from evtl.jobs.queue import Queue
from tests.browser.serving import TOKEN, Server
from tests.browser.watching import Watched
from tests.integration.web.trainings import ENDLESS
from trainer.synthetic import write_sample

#: Milliseconds for what takes a training, and for what a page does.
TRAINING_MS, PAGE_MS = 600_000, 120_000
#: Of some epochs that are done.
STEPS = re.compile(r"[1-9]\d* of 9,?000")

pytestmark = pytest.mark.slow


@pytest.fixture
def images(server: Server) -> Path:
    """A set of images below the data root."""
    write_sample(server.images / "lesions", n_images=30, seed=0)
    return server.images / "lesions"


def begun(server: Server) -> str:
    """Name of a training that goes on until somebody ends it."""
    body = {
        "question": {"modality": "ultrasound", "data": "lesions"},
        "plan": ENDLESS.model_dump(mode="json"),
        "device": "cpu",
    }
    headers = {"authorization": f"Bearer {TOKEN}"}
    found = httpx2.post(f"{server.address}/api/runs", json=body, headers=headers, timeout=60)
    assert found.status_code == 202, found.text
    run: str = found.json()["run"]
    return run


def live(page: Page, run: str) -> None:
    """The page of a run, once it tells of steps that are done."""
    page.goto(f"/runs/{run}")
    expect(page.locator("#said")).to_have_text("It runs.", timeout=TRAINING_MS)
    expect(page.locator("#stage")).to_have_text("Training", timeout=TRAINING_MS)
    expect(page.locator("#count")).to_have_text(STEPS, timeout=TRAINING_MS)


def test_from_a_question_to_a_report_with_a_heat_map(
    page: Page, server: Server, images: Path
) -> None:
    page.goto("/")
    page.get_by_role("combobox", name="Modality").fill("ultrasound")
    page.get_by_role("combobox", name="Anatomy").fill("breast")
    page.get_by_label("Number of images").fill("30")
    page.get_by_role("button", name="Recommend").click()
    expect(page.get_by_role("heading", name="Ranking")).to_be_visible()
    page.get_by_role("link", name="Train this").click()
    page.get_by_label("Folder of images").fill(images.name)
    page.get_by_text("Change what is trained").click()
    page.get_by_label("Network", exact=True).select_option("EfficientNet-Lite0")
    page.get_by_label("Approach", exact=True).select_option("feature_extractor")
    page.get_by_label("Device").select_option("cpu")
    with page.expect_response("**/events", timeout=TRAINING_MS) as streamed:
        page.get_by_role("button", name="Train this").dblclick()
    assert len([*Queue(server.runs).jobs()]) == 1
    assert streamed.value.headers["content-type"].startswith("text/event-stream")
    run = page.url.rpartition("/")[2]
    # Told without a reload, which would forget the mark.
    page.evaluate("window.mark = 'not loaded again'")
    stage = page.locator("#stage").inner_text()
    expect(page.locator("#stage")).not_to_have_text(stage, timeout=TRAINING_MS)
    assert page.evaluate("window.mark") == "not loaded again"
    expect(page.get_by_role("heading", name="Measured")).to_be_visible(timeout=TRAINING_MS)
    report = page.frame_locator("iframe")
    page.locator("iframe").scroll_into_view_if_needed()
    picture = report.locator("figure:has-text('CAM') img").first
    expect(picture).to_be_visible(timeout=PAGE_MS)
    assert picture.evaluate("each => each.complete && each.naturalWidth >= 32")
    page.goto("/runs")
    expect(page.locator(f"a[href='/runs/{run}']")).to_be_visible()
    found = httpx2.get(f"{server.address}/api/runs/{run}/files/model.safetensors", timeout=60)
    assert len(found.content) > 10_000


def test_a_training_is_cancelled_in_the_middle(page: Page, server: Server, images: Path) -> None:
    assert images.is_dir()
    run = begun(server)
    live(page, run)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".chip").first).to_have_text("cancelled", timeout=TRAINING_MS)
    expect(page.get_by_role("button", name="Go on with it")).to_be_visible()
    assert Queue(server.runs).job(run).state == "cancelled"


def test_the_page_and_the_training_survive_a_server_that_dies(
    tab: Watched, server: Server, images: Path, begin: Callable[..., Server]
) -> None:
    assert images.is_dir()
    tab.expected_texts |= {
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED",
        "ERR_CONNECTION_RESET",
    }
    page, run = tab.page, begun(server)
    live(page, run)
    page.evaluate("window.mark = 'not loaded again'")
    server.kill()
    began = Queue(server.runs).job(run).started
    with page.expect_response("**/events", timeout=PAGE_MS) as again:
        begin(server.port)
    assert again.value.status == 200
    counted = page.locator("#count").inner_text()
    expect(page.locator("#count")).not_to_have_text(counted, timeout=TRAINING_MS)
    assert page.evaluate("window.mark") == "not loaded again"
    assert Queue(server.runs).job(run).started == began
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".chip").first).to_have_text("cancelled", timeout=TRAINING_MS)
