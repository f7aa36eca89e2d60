"""Write the pinned answers anew: run after a change that is meant to change them.

Usage: python tests/golden/make.py
"""

import json
import tempfile
from pathlib import Path

from evidence import queries
from evidence.records import TaskProfile
from evidence.store import Store
from recommender.answering import recommend
from recommender.ranking import Question

FOLDER = Path(__file__).parent
QUESTIONS = {
    "ultrasound_800": TaskProfile(modality="ultrasound", n_images=800),
    "breast_ultrasound_780": TaskProfile(
        modality="ultrasound", anatomy="breast", n_images=780, n_classes=3
    ),
    "chest_xray_5000": TaskProfile(modality="xray", anatomy="lung", n_images=5000, n_classes=2),
}


def answer(profile: TaskProfile, store: Store) -> str:
    """The five best choices, what is expected and how sure it is, as JSON."""
    found = recommend(Question(profile), queries.corpus(store)).model_dump(mode="json")
    found["ranking"] = [
        {key: choice[key] for key in ("backbone", "approach", "head", "score", "parts")}
        for choice in found["ranking"][:5]
    ]
    kept = ("profile", "ranking", "expected", "certainty")
    return json.dumps({key: found[key] for key in kept}, indent=2) + "\n"


def main() -> None:
    """Write every answer."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/evtl.sqlite")
        for name, profile in QUESTIONS.items():
            (FOLDER / f"{name}.json").write_text(answer(profile, store), encoding="utf-8")


if __name__ == "__main__":
    main()
