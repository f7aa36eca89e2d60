"""A place with something on every page: images, runs, a study that was typed in, a release."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from evtl.jobs.queue import Queue
from evtl.jobs.records import Wanted
from tests.browser.serving import TOKEN, Server, environment
from tests.integration.web.studies import DRAFT
from tests.unit.trainer.crewed import LENET
from tests.unit.trainer.toys import plan_of
from trainer.synthetic import write_sample

#: Seconds that a training of the smallest network may take on a slow machine.
TRAINED_S = 900


class House(NamedTuple):
    """A served place with something on every page, and the names of what is there."""

    server: Server
    names: dict[str, str]

    def at(self, example: str) -> str:
        """A whole address of an example of `tests.browser.addresses.PAGES`."""
        return self.server.address + example.format(**self.names)


def furnished(place: Path, template: Path) -> House:
    """Serve a place that was filled as people do it, in a terminal and by the API."""
    shutil.copy(template, place / "evtl.sqlite")
    write_sample(place / "images" / "breast", n_images=40, seed=0)
    run = trained(place, "images/breast")
    waiting = Queue(place / "runs").add(Wanted(data=place / "images" / "breast"))
    waiting.cancel()
    server = Server(place)
    study = _posted(server, "studies", DRAFT)
    _posted(server, "releases", {"tag": "furnished", "by": "Anna"})
    change = str(study["change_set"]["id"])
    names = {"run": run, "cancelled": waiting.run.name, "study": study["key"], "change": change}
    return House(server, names)


def _posted(server: Server, what: str, sent: object) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {TOKEN}"}
    found = httpx2.post(f"{server.address}/api/{what}", json=sent, headers=headers, timeout=60)
    assert found.is_success, found.text
    answer: dict[str, Any] = found.json()
    return answer


def trained(place: Path, images: str) -> str:
    """Name of a run of the smallest network on a set of images, with report and heat maps."""
    plan = plan_of(
        backbone=LENET, approach="fine_tuning_from_scratch", initialisation="random",
        epochs=2, batch_size=8, n_folds=0,
    )  # fmt: skip
    (place / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "evtl", "train", images, "--plan", "plan.json", "--device", "cpu"],
        cwd=place, env=environment(place), check=True, capture_output=True, timeout=TRAINED_S,
    )  # fmt: skip
    (run,) = (place / "runs").iterdir()
    return run.name
