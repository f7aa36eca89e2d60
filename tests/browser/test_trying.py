"""An image that is sent to a finished run, in a browser."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.house import House
from tests.browser.serving import Server
from tests.browser.watching import Watched


@pytest.fixture
def server(house: House) -> Server:
    """The one that has a finished run."""
    return house.server


def test_an_image_is_tried_on_a_finished_run(tab: Watched, house: House) -> None:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "PNG")
    page = tab.page
    page.goto(house.at("/runs/{run}"))
    page.get_by_role("link", name="Try it on an image").click()
    page.get_by_label("Image", exact=True).set_input_files(
        {"name": "Doe_Jane.png", "mimeType": "image/png", "buffer": stream.getvalue()}
    )
    page.get_by_role("button", name="Try it").click()
    heat_map = page.get_by_alt_text("heat map")
    expect(heat_map).to_be_visible()
    assert heat_map.evaluate("each => each.complete && each.naturalWidth === 32")
    bars = page.locator("svg.bar .part")
    assert bars.count() == 2
    assert abs(sum(float(bar.get_attribute("width") or 0) for bar in bars.all()) - 100) < 0.1
    assert "Doe_Jane" not in page.content()
    tab.expected.add(422)
    page.get_by_label("Image", exact=True).set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": b"no image at all"}
    )
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_role("alert")).to_contain_text("no image of a kind that can be tried")
