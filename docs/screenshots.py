"""Pictures of the web page for the README: `python docs/screenshots.py`, from the checkout.

A store of the script's own, a training on synthetic images, and Debian's Chromium; no image shows
a person. The pictures lie in docs/pictures.
"""

import shutil
import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from evidence.store import Store  # noqa: E402  (the checkout is put on the path first)
from tests.browser.addresses import QUESTION  # noqa: E402
from tests.browser.conftest import PHONE, QUIET  # noqa: E402
from tests.browser.house import House, furnished  # noqa: E402
from tests.browser.serving import TOKEN  # noqa: E402

#: Milliseconds for what a page works out, and for torch.
PATIENCE_MS = 300_000
PICTURES = ROOT / "docs" / "pictures"
WIDE = (1200, 860)
#: Colours of a picture: text and plots need no more, and the file stays small.
COLOURS = 64
#: Name of a picture -> address, and what of the page is at its top.
SHOWN = {
    "ask": ("/", ""),
    "recommendation": (f"/recommend?{QUESTION}", ""),
    "explanation": (f"/explain?{QUESTION}", ""),
    "train": ("/train?modality=ultrasound&anatomy=breast&data=breast", ""),
    "run": ("/runs/{run}", ""),
    "report": ("/runs/{run}/report", "figure:has-text('CAM')"),
    "studies": ("/studies?modality=ultrasound", ""),
    "study": ("/studies/shin-2016", ""),
    "gaps": ("/evidence/gaps", ""),
    "forest": ("/evidence/forest?modality=ultrasound", ""),
    "sql": ("/sql?query=SELECT+modality,+count(*)+AS+n+FROM+study_features+GROUP+BY+1+ORDER+BY+2"
            "+DESC", ""),
    "api": ("/docs", ""),
}  # fmt: skip


def main() -> None:
    """Draw every picture anew."""
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder)
        template = place / "template.sqlite"
        Store(f"sqlite:///{template}")
        (place / "house").mkdir()
        house = furnished(place / "house", template)
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        try:
            for name, (address, place_on_it) in SHOWN.items():
                page = browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]})
                keep(drawn(page, house, address, place_on_it), name)
            keep(
                tried(browser.new_page(viewport={"width": WIDE[0], "height": WIDE[1]}), house),
                "try",
            )
            dark = browser.new_page(
                viewport={"width": PHONE[0], "height": PHONE[1]}, color_scheme="dark"
            )
            keep(drawn(dark, house, f"/recommend?{QUESTION}", ""), "phone-dark")
        finally:
            browser.close()
            house.server.end()


def drawn(page: Page, house: House, address: str, place: str) -> bytes:
    """What is seen of a page at first, or from a place on it."""
    page.goto(f"{house.server.address}/sign-in?token={TOKEN}&to=/sign-in")
    page.goto(house.at(address))
    if place:
        page.locator(place).first.evaluate("each => each.scrollIntoView({behavior: 'instant'})")
    page.get_by_text("This is being worked out").wait_for(state="detached", timeout=PATIENCE_MS)
    page.wait_for_load_state("networkidle")
    return page.screenshot()


def tried(page: Page, house: House) -> bytes:
    """An image that was tried, beside its heat map."""
    image = next((house.server.images / "breast" / "malignant").iterdir())
    page.goto(house.at("/runs/{run}/try"))
    page.get_by_label("Image", exact=True).set_input_files(image)
    page.get_by_role("button", name="Try it").click()
    page.get_by_alt_text("heat map").wait_for(timeout=PATIENCE_MS)
    return page.screenshot()


def keep(picture: bytes, name: str) -> None:
    """Write a picture with few colours."""
    with Image.open(BytesIO(picture)) as whole:
        whole.convert("RGB").quantize(COLOURS).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
