"""The runs that ship are what they say, and bad rows are refused."""

import csv
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from evidence.benchmark_rows import ShippedRunRow
from evidence.records import Corpus, ShippedRun
from evidence.shipped import shipped

ROW: dict[str, str] = {
    "run_id": "r", "dataset": "d", "n_images": "400", "n_classes": "2", "seed": "0",
    "backbone": "b", "approach": "fine_tuning", "initialisation": "pretrained", "n_blocks": "2",
    "head": "linear", "epochs": "6", "auc": "0.9", "auc_low": "0.8", "auc_high": "0.95",
    "accuracy": "0.8", "accuracy_low": "", "accuracy_high": "", "balanced_accuracy": "1",
    "balanced_accuracy_low": "1", "balanced_accuracy_high": "1", "seconds": "10.5", "cpu_s": "20",
    "peak_memory_mb": "", "device": "cpu", "versions": "evtl 0.1.0",
}  # fmt: skip


def configuration(run: ShippedRun) -> tuple[Any, ...]:
    return run.dataset, run.backbone, run.approach, run.initialisation, run.head


def test_no_configuration_was_run_twice_on_a_seed(corpus: Corpus) -> None:
    """With two numbers of blocks or epochs a mean would be of neither."""
    assert corpus.shipped
    counts = Counter((*configuration(run), run.seed) for run in corpus.shipped)
    assert set(counts.values()) == {1}


def test_runs_have_as_many_images_as_their_data_set_says(corpus: Corpus) -> None:
    with (shipped("data") / "benchmark_datasets.csv").open(encoding="utf-8", newline="") as stream:
        sizes = {
            row["dataset"]: (row["n_images"], row["n_classes"]) for row in csv.DictReader(stream)
        }
    for run in corpus.shipped:
        assert (str(run.n_images), str(run.n_classes)) == sizes[run.dataset], run.run_id


def test_the_runs_of_a_configuration_stand_side_by_side(corpus: Corpus) -> None:
    keys = [(*configuration(run), run.seed) for run in corpus.shipped]
    assert keys == sorted(keys)


def test_a_good_row_is_kept_as_it_is() -> None:
    cells = ShippedRunRow.model_validate(ROW).cells()
    assert ShippedRunRow.model_validate(cells).cells() == cells
    assert (cells["n_blocks"], cells["accuracy_low"], cells["auc"]) == ("2", "", "0.9")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"auc": "90"}, "less than or equal to 1"),
        ({"auc": ""}, "valid number"),
        ({"accuracy": "nan"}, "finite number"),
        ({"seconds": "0"}, "greater than 0"),
        ({"cpu_s": "-1"}, "greater than or equal to 0"),
        ({"peak_memory_mb": "inf"}, "finite number"),
        ({"auc_low": ""}, "auc: give both ends of the interval or none"),
        ({"accuracy_high": "0.9"}, "accuracy: give both ends of the interval or none"),
        ({"auc_low": "0.91"}, "auc: 0.9 is not within 0.91 to 0.95"),
        ({"balanced_accuracy": "0.9"}, "balanced_accuracy: 0.9 is not within 1 to 1"),
        ({"epochs": ""}, "fine-tuning says its epochs"),
        ({"approach": "feature_extractor", "n_blocks": ""}, "a frozen backbone has none"),
        ({"n_blocks": ""}, "how many blocks were trained"),
        ({"approach": "fine_tuning_from_scratch"}, "nothing else does"),
        ({"approach": "unspecified"}, "says what it did"),
        ({"initialisation": "unspecified"}, "says what it did"),
        ({"head": "unspecified"}, "says what it did"),
        ({"n_images": "0"}, "greater than or equal to 1"),
        ({"n_classes": "1"}, "greater than or equal to 2"),
        ({"seed": "-1"}, "greater than or equal to 0"),
        ({"device": " "}, "at least 1 character"),
    ],
)
def test_a_bad_row_is_refused(changed: dict[str, str], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        ShippedRunRow.model_validate(ROW | changed)
