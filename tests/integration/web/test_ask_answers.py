"""Asking on the page: what is answered, what is refused, and that nothing typed is carried out."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from typing import Any

import pytest

from evidence import queries
from evidence.errors import EvtlError
from evidence.records import RunRecord
from evidence.store import Store
from evtl import services
from evtl.asking import TaskOptions
from evtl.web.asked import Typed
from evtl.web.routes import answering
from recommender.records import Recommendation
from tests.integration.web.visiting import Visit

ASKED = "modality=us&anatomy=breast&n=780&classes=3"
#: Answers, by what is asked for.
QUESTIONS = {
    ASKED: "Breast mass classification",
    "modality=CXR&anatomy=lung&n=5e3&goal=accuracy": "X-ray, lung, 5,000 images; goal accuracy",
    "modality=pet&n=300": "insufficient evidence",
    "modality=mri&n=200&task=regression": "regression",
    "modality=ct&n=800&candidates=resnet18,vgg16&approaches=full": "The best 2 of 2",
    "modality=us&n=800&augmented_n=8000": "8,000 after augmentation",
}
#: Questions that cannot be answered, and what is said of them.
REFUSED = {
    "n=800": "modality is missing",
    "modality=us": "n is missing: how many images are there",
    "modality=ultrasuond&n=800": "did you mean ultrasound",
    "modality=us&anatomy=brest&n=800": "did you mean breast",
    "modality=us&n=many": "n: found 'many'; allowed: a whole number",
    "modality=us&n=0": "n: found 0; allowed: 1 to 1,000,000,000",
    "modality=us&n=" + "9" * 20: "allowed: 1 to 1,000,000,000",
    "modality=us&n=5&classes=9": "there are fewer images",
    "modality=us&n=500&classes=2&task=regression": "regression has no classes",
    "modality=us&n=500&augmented_n=5": "is below",
    "modality=us&n=500&candidates=resnet99": "resnet99",
    "modality=us&n=500&approaches=magic": "unknown approach",
}
SCRIPT = "<script>alert(1)</script>"


def text_of(page: str) -> str:
    """What a person reads on a page."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_form_asks_for_what_a_question_needs_with_a_label_for_each(visit: Visit) -> None:
    page = visit.shown("/")
    names = set(re.findall(r'<(?:input|select) id="([a-z_]+)"', page))
    assert names == {
        "modality", "anatomy", "n", "classes", "task", "goal", "candidates", "approaches",
        "available", "augmented_n",
    }  # fmt: skip
    assert all(f'<label for="{name}">' in page for name in names)


@pytest.mark.parametrize("query", QUESTIONS)
def test_a_question_has_an_address_at_which_it_is_answered(visit: Visit, query: str) -> None:
    page = visit.shown(f"/recommend?{query}")
    assert QUESTIONS[query] in text_of(page)
    for address in ("train", "explain", "api/recommend"):
        assert f'href="/{address}?modality=' in page
    assert len(page.encode()) < 100_000


def test_an_answer_names_its_evidence_with_links_and_both_sides(visit: Visit) -> None:
    page = visit.shown(f"/recommend?{ASKED}")
    found = services.recommend(TaskOptions("us", 780, "breast", 3), top=5)
    studies = found.ranking[0].studies or found.derivation.studies[:5]
    assert studies
    assert all(f'href="/studies/{study.key}"' in page for study in studies)
    said = text_of(page)
    assert found.disagreements
    for item in found.disagreements:
        assert " ".join(item.topic.split()) in said
        assert all(side.statement in said for side in (*item.supports, *item.opposes))
    assert all(reason.partition(": ")[2][:30] in said for reason in found.certainty.reasons)
    assert f"median {found.expected.median:g}" in said
    assert "--" not in said.replace("--data-root", "")


def test_every_score_is_drawn_with_the_parts_that_count(visit: Visit) -> None:
    page = visit.shown(f"/recommend?{ASKED}")
    found = services.recommend(TaskOptions("us", 780, "breast", 3), top=5)
    assert page.count('<svg class="score"') == len(found.ranking)
    assert f"{found.ranking[0].parts['cost']:+.2f}" in page
    assert 'class="part-cost"' in page


@pytest.mark.parametrize("query", REFUSED)
def test_a_question_that_cannot_be_answered_is_shown_again_with_one_reason(
    visit: Visit, query: str
) -> None:
    found = visit.get(f"/recommend?{query}")
    assert found.status_code == 400
    assert found.text.count('role="alert"') == 1
    assert REFUSED[query] in text_of(found.text)
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        assert f'name="{name}"' in found.text
        assert value in found.text
    refused = visit.get(f"/api/recommend?{query}")
    assert refused.status_code == 400
    assert REFUSED[query] in refused.json()["detail"]


@pytest.mark.parametrize("address", ["/", "/recommend", "/explain", "/api/recommend"])
def test_nothing_typed_becomes_part_of_a_page(visit: Visit, address: str) -> None:
    for name in (*Typed.model_fields, "browse"):
        asked = {"modality": "us", "n": "80", name: f'"><img src=x onerror=alert(1)>{SCRIPT}'}
        found = visit.get(address, params=asked)
        assert found.status_code in {200, 400, 422}
        kind = found.headers["content-type"].partition(";")[0]
        assert kind == "text/html" or kind.endswith("json")
        if kind == "text/html":
            assert "<script>alert" not in found.text
            assert "<img src=x" not in found.text


def test_no_question_leads_to_the_form(visit: Visit) -> None:
    for address in ("/recommend", "/explain", "/recommend?modality=&n="):
        assert visit.get(address).headers["location"] == "/"


def test_the_explanation_holds_all_that_the_order_rests_on(visit: Visit) -> None:
    page = visit.shown(f"/explain?{ASKED}")
    found = services.recommend(TaskOptions("us", 780, "breast", 3))
    said = text_of(page)
    assert all(rule.statement in said for rule in found.derivation.rules)
    assert all(one.dataset in said for one in found.derivation.controlled)
    assert all(f'href="/studies/{study.key}"' in page for study in found.derivation.studies)
    assert len(page.encode()) < 100_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "query"),
    [
        (["recommend", "--top", "3"], "/api/recommend?top=3&"),
        (["recommend"], "/api/recommend?"),
        (["explain"], "/api/explain?"),
    ],
)
def test_programs_are_told_what_the_command_line_tells(
    visit: Visit, command: list[str], query: str
) -> None:
    asked = ["--modality", "us", "--anatomy", "breast", "--n", "780", "--classes", "3", "--json"]
    told = subprocess.run(
        [sys.executable, "-m", "evtl", *command, *asked], capture_output=True, text=True, check=True
    ).stdout
    answered = visit.get(f"{query}{ASKED}")
    assert answered.status_code == 200
    assert answered.json() == json.loads(told)
    assert Recommendation.model_validate(answered.json()).n_choices == 584


def test_a_recorded_run_changes_the_next_answer(visit: Visit, store: Store) -> None:
    before = visit.get(f"/api/recommend?{ASKED}").json()
    assert before["ranking"][0]["cost"]["source"] == "shipped"
    assert re.search(r"<dd>about [^<]* on another machine</dd>", visit.shown(f"/recommend?{ASKED}"))
    best = before["ranking"][0]
    queries.record_run(store, run(best["backbone"], best["approach"], best["head"]))
    after = visit.get(f"/api/recommend?{ASKED}").json()
    assert after["ranking"][0]["cost"]["source"] != "shipped"
    assert not re.search(
        r"<dd>about [^<]* on another machine</dd>", visit.shown(f"/recommend?{ASKED}")
    )


def run(backbone: str, approach: str, head: str) -> RunRecord:
    """A finished training."""
    return RunRecord.model_validate(
        {
            "run_id": "r1", "started_at": "2026-01-01T00:00:00+00:00", "status": "finished",
            "folder": "r1", "modality": "ultrasound", "anatomy": "breast",
            "task": "classification", "n_images": 780, "n_classes": 3,
            "backbone_recommended": backbone, "backbone": backbone, "weights": "w",
            "approach": approach, "head": head, "seed": 0, "device": "cpu", "seconds": 500.0,
            "metrics": {"test": {"auc": {"value": 0.8, "low": 0.7, "high": 0.9}}},
            "digests": {"data": "d"}, "versions": {}, "peak_memory_mb": 900.0,
        }
    )  # fmt: skip


def test_what_is_at_hand_is_looked_for_without_holding_anybody_up(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time that takes seconds."""

    async def waits(*_what: object) -> None:
        msg = "it waits for its turn"
        raise EvtlError(msg)

    monkeypatch.setattr(answering, "in_turn", waits)
    assert visit.get("/api/recommend?modality=us&n=800&available=true").status_code == 200
    assert "it waits for its turn" in visit.get("/api/recommend?modality=us&n=800").text


def test_answers_are_worked_out_one_after_the_other(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight visitors at once: none takes time from another, and an error holds nobody up."""
    answer, at_work, seen = services.recommend, [0], []

    def watched(*asked: Any, **how: Any) -> Recommendation:
        at_work[0] += 1
        seen.append(at_work[0])
        try:
            return answer(*asked, **how)
        finally:
            at_work[0] -= 1

    monkeypatch.setattr(services, "recommend", watched)
    addresses = [f"/api/recommend?modality=us&n={n}" for n in (0, *range(9001, 9008))]
    with ThreadPoolExecutor(len(addresses)) as visitors:
        statuses = [found.status_code for found in visitors.map(visit.get, addresses)]
    assert statuses == [400, *[200] * 7]
    assert seen == [1] * 8
