"""Runs that ship travel as every corpus file does; their means are a comparison; both databases."""

import csv
import io
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

from evidence import changes, export, queries, releases
from evidence.changes import Reason
from evidence.controlled import SHIPPED_TABLE
from evidence.errors import IngestError
from evidence.imports import Search, import_file
from evidence.records import ControlledResult
from evidence.shipped import shipped
from evidence.store import Store
from tests.integration.commands import evtl

WHY = Reason("anna", "our own grid", "import")
DATASET = (
    "dataset,label,origin,modality,anatomy,n_images,n_classes,task,note\n"
    "elbow,Elbows,elbow,xray,joint,500,2,classification,\n"
)
HEADER = (shipped("data") / "runs.csv").read_text(encoding="utf-8").partition("\n")[0]


def row(number: int, seed: int, **cells: object) -> str:
    """A line of the file: a frozen backbone, but for the cells given."""
    plain: dict[str, object] = {
        "run_id": f"elbow {number}", "dataset": "elbow", "n_images": 500, "n_classes": 2,
        "seed": seed, "backbone": "VGG-16", "approach": "feature_extractor",
        "initialisation": "pretrained", "head": "linear", "auc": 0.9, "auc_low": 0.85,
        "auc_high": 0.95, "accuracy": 0.8, "balanced_accuracy": 0.8, "seconds": 12, "cpu_s": 20,
        "device": "cpu", "versions": "evtl 0.1.0",
    }  # fmt: skip
    text = io.StringIO()
    csv.DictWriter(text, HEADER.split(","), restval="", lineterminator="\n").writerow(plain | cells)
    return text.getvalue()


RANDOM = {"approach": "fine_tuning_from_scratch", "initialisation": "random", "epochs": 6}
PARTIAL = {"approach": "fine_tuning", "n_blocks": 2, "epochs": 6}
ROWS = [
    row(1, 0, auc=0.90, cpu_s=20),
    row(2, 1, auc=0.92, cpu_s=22),
    row(3, 0, **RANDOM, auc=0.7, auc_low="", auc_high="", cpu_s=300),
    row(4, 1, **RANDOM, auc=0.6, auc_low="", auc_high="", cpu_s=100),
    row(5, 0, **PARTIAL, peak_memory_mb=900),
]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "datasets.csv").write_text(DATASET, encoding="utf-8")
    (folder / "runs.csv").write_text(f"{HEADER}\n{''.join(ROWS)}", encoding="utf-8")
    return folder


def means(store: Store) -> list[ControlledResult]:
    return [result for result in queries.corpus(store).controlled if result.dataset == "elbow"]


def test_the_means_over_the_seeds_are_controlled_results(either: Store, own: Path) -> None:
    """Partial fine-tuning was not run on every seed: its split is another one."""
    assert import_file(either, own, Search(), WHY).n_read == 6
    frozen, random = means(either)
    assert (frozen.table, frozen.metric, frozen.family) == (SHIPPED_TABLE, "auc", "VGGNet")
    assert (frozen.approach, frozen.initialisation, frozen.pretraining) == (
        "feature_extractor", "pretrained", "imagenet",
    )  # fmt: skip
    assert (frozen.value, frozen.seconds) == pytest.approx((0.91, 21))
    assert (frozen.origin, frozen.anatomy, frozen.n_images) == ("elbow", "joint", 500)
    assert (random.initialisation, random.pretraining) == ("random", "")
    assert (random.value, random.seconds) == pytest.approx((0.65, 200))


def test_what_ships_is_the_mean_of_what_ships(either: Store) -> None:
    """From the CSV alone; no value stands in two places."""
    text = (shipped("data") / "runs.csv").read_text(encoding="utf-8")
    columns = ("dataset", "backbone", "approach", "initialisation", "head")
    alike = defaultdict(list)
    for cells in csv.DictReader(text.splitlines()):
        alike[tuple(cells[name] for name in columns)].append(float(cells["auc"]))
    found = {
        tuple(getattr(one, name) for name in columns): one.value
        for one in queries.corpus(either).controlled
        if one.table == SHIPPED_TABLE
    }
    assert found
    assert found == pytest.approx({key: fmean(alike[key]) for key in found})
    tables = evtl("sql", "select distinct benchmark from benchmark_result", "--format", "csv")
    assert tables == "benchmark\njuodelyte2024\n"


def test_what_a_table_says_itself_is_not_counted_twice(either: Store, own: Path) -> None:
    (own / "results.csv").write_text(
        "table,dataset,backbone,approach,initialisation,pretraining,head,metric,value,cpu_s\n"
        f"{SHIPPED_TABLE},elbow,VGG-16,feature_extractor,pretrained,imagenet,linear,auc,0.5,\n",
        encoding="utf-8",
    )
    import_file(either, own, Search(), WHY)
    assert [one.value for one in means(either)] == pytest.approx([0.5, 0.65])


def test_they_are_undone_and_exported_as_they_came(
    either: Store, own: Path, tmp_path: Path
) -> None:
    import_file(either, own, Search(), WHY)
    evtl("export", "--format", "csv", "--out", str(tmp_path / "out"))
    with (tmp_path / "out" / "runs.csv").open(encoding="utf-8", newline="") as stream:
        rows = [cells for cells in csv.DictReader(stream) if cells["dataset"] == "elbow"]
    assert [(r["run_id"], r["n_blocks"], r["epochs"], r["auc_low"]) for r in rows] == [
        ("elbow 1", "", "", "0.85"), ("elbow 2", "", "", "0.85"), ("elbow 3", "", "6", ""),
        ("elbow 4", "", "6", ""), ("elbow 5", "2", "6", "0.85"),
    ]  # fmt: skip
    with either.begin() as connection:
        changes.undo(connection, 1, "anna", "to see it go")
    assert means(either) == []


def test_a_release_shows_which_runs_changed(either: Store, own: Path) -> None:
    import_file(either, own, Search(), WHY)
    releases.release(either, "before", "anna")
    text = (own / "runs.csv").read_text(encoding="utf-8").replace(",0.92,", ",0.93,")
    (own / "runs.csv").write_text(text, encoding="utf-8")
    import_file(either, own, Search(), WHY)
    old, new = (releases.tables_of(either, tag) for tag in ("before", releases.NOW))
    (changed,) = releases.changed_rows(old, new)
    assert (changed.file, changed.columns) == ("runs.csv", (("auc", "0.92", "0.93"),))
    (frozen, _) = (r for r in releases.corpus_of(old).controlled if r.dataset == "elbow")
    assert frozen.value == pytest.approx(0.91)


def test_every_bad_run_is_named_and_nothing_is_stored(either: Store, own: Path) -> None:
    bad = [row(6, 0, auc=96), row(7, 0, epochs=6), row(8, 0, auc_high="")]
    text = f"{HEADER}\n{''.join([*ROWS, *bad])}"
    (own / "runs.csv").write_text(text, encoding="utf-8")
    with pytest.raises(IngestError, match="nothing was stored") as caught:
        import_file(either, own, Search(), WHY)
    said = " ".join(map(str, caught.value.problems))
    for line, why in (
        (7, "less than or equal to 1"), (8, "a frozen backbone has none"),
        (9, "auc: give both ends of the interval or none"),
    ):  # fmt: skip
        assert f"row {line}" in said
        assert why in said
    with either.connect() as connection:
        tables = export.rows(connection)
    assert not [cells for cells in tables["runs.csv"] if cells["dataset"] == "elbow"]


def test_links_and_repetitions_of_runs_are_named(either: Store, own: Path) -> None:
    bad = [row(6, 0, dataset="elbows"), row(7, 0, backbone="VGG-61"), ROWS[0]]
    text = f"{HEADER}\n{''.join([*ROWS, *bad])}"
    (own / "runs.csv").write_text(text, encoding="utf-8")
    with pytest.raises(IngestError, match="nothing was stored") as caught:
        import_file(either, own, Search(), WHY)
    said = " ".join(map(str, caught.value.problems))
    assert "found 'elbows'; must be in benchmark_datasets.csv (did you mean elbow?)" in said
    assert "found 'VGG-61'; must be in backbones.csv" in said
    assert "already given in row 2" in said
    assert means(either) == []


def test_they_are_listed_apart_from_those_recorded_here(either: Store, own: Path) -> None:
    import_file(either, own, Search(), WHY)
    lines = [line for line in evtl("runs", "--shipped").splitlines() if line.startswith("elbow")]
    assert [line.split() for line in lines] == [
        ["elbow", "VGG-16", "feature_extractor", "pretrained", "linear", "0", "0.900",
         "0.850", "to", "0.950", "12"],
        ["elbow", "VGG-16", "feature_extractor", "pretrained", "linear", "1", "0.920",
         "0.850", "to", "0.950", "12"],
        ["elbow", "VGG-16", "fine_tuning", "(2", "blocks,", "6", "epochs)", "pretrained",
         "linear", "0", "0.900", "0.850", "to", "0.950", "12"],
        ["elbow", "VGG-16", "fine_tuning_from_scratch", "(6", "epochs)", "random", "linear", "0",
         "0.700", "-", "12"],
        ["elbow", "VGG-16", "fine_tuning_from_scratch", "(6", "epochs)", "random", "linear", "1",
         "0.600", "-", "12"],
    ]  # fmt: skip
    assert "no run is recorded yet" in evtl("runs")
    assert json.loads(evtl("runs", "--json")) == []
    found = json.loads(evtl("runs", "--shipped", "--json"))
    assert [run["peak_memory_mb"] for run in found if run["run_id"] == "elbow 5"] == [900]


def test_a_question_in_sql_reaches_single_runs(either: Store, own: Path) -> None:
    import_file(either, own, Search(), WHY)
    query = "select run_id, epochs from shipped_run where initialisation = 'random' and seed = 1"
    query += " and dataset = 'elbow'"
    assert evtl("sql", query, "--format", "csv") == "run_id,epochs\nelbow 4,6\n"
    assert "shipped_run" in evtl("schema")
