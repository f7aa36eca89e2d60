"""Controlled comparisons of a user's own travel as the shipped ones do; on both databases."""

import csv
from pathlib import Path

import pytest

from evidence import changes, export, queries, releases
from evidence.changes import Reason
from evidence.errors import IngestError
from evidence.imports import Search, import_file
from evidence.records import ControlledResult
from evidence.store import Store
from tests.integration.commands import evtl

WHY = Reason("anna", "our own comparison", "import")
TABLE = "table,citation,doi,arxiv,held_equal,note\nown,Doe 2026,,,splits,\n"
DATASET = (
    "dataset,label,origin,modality,anatomy,n_images,n_classes,task,note\n"
    "busi,Breast ultrasound,busi,ultrasound,breast,780,3,classification,\n"
)
HEADER = "table,dataset,backbone,approach,initialisation,pretraining,head,metric,value,cpu_s\n"
RESULTS = HEADER + (
    "own,busi,VGG-16,fine_tuning_from_scratch,random,,linear,auc,0.8,120.5\n"
    "own,busi,VGG-16,feature_extractor_hybrid,pretrained,imagenet,svm,auc,0.9,10\n"
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    for name, text in (("tables", TABLE), ("datasets", DATASET), ("results", RESULTS)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def found(store: Store) -> list[ControlledResult]:
    return [result for result in queries.corpus(store).controlled if result.table == "own"]


def test_what_is_imported_is_read_as_records(either: Store, own: Path) -> None:
    assert import_file(either, own, Search(), WHY).n_read == 4
    frozen, random = found(either)
    assert (frozen.approach, frozen.head, frozen.value) == ("feature_extractor_hybrid", "svm", 0.9)
    assert (random.initialisation, random.pretraining, random.seconds) == ("random", "", 120.5)
    assert (random.family, random.origin, random.anatomy) == ("VGGNet", "busi", "breast")
    assert (random.n_images, random.n_classes) == (780, 3)


def test_it_is_undone_and_exported_as_it_came(either: Store, own: Path, tmp_path: Path) -> None:
    import_file(either, own, Search(), WHY)
    evtl("export", "--format", "csv", "--out", str(tmp_path / "out"))
    with (tmp_path / "out" / "benchmarks.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["table"] == "own"]
    assert [(row["head"], row["value"], row["cpu_s"]) for row in rows] == [
        ("svm", "0.9", "10.0"), ("linear", "0.8", "120.5"),
    ]  # fmt: skip
    with either.begin() as connection:
        changes.undo(connection, 1, "anna", "to see it go")
    assert found(either) == []


def test_a_release_shows_which_results_changed(either: Store, own: Path) -> None:
    import_file(either, own, Search(), WHY)
    releases.release(either, "before", "anna")
    text = RESULTS.replace(",0.8,", ",0.85,")
    (own / "results.csv").write_text(text, encoding="utf-8")
    import_file(either, own, Search(), WHY)
    old, new = (releases.tables_of(either, tag) for tag in ("before", releases.NOW))
    (row,) = releases.changed_rows(old, new)
    assert (row.file, row.columns) == ("benchmarks.csv", (("value", "0.8", "0.85"),))
    assert len(releases.corpus_of(old).controlled) == len(queries.corpus(either).controlled)


def test_a_result_of_nothing_known_is_refused_whole(either: Store, own: Path) -> None:
    bad = HEADER + (
        "juodelyte2024x,bloodmnistt,VGG-61,fine_tuning_from_scratch,random,,linear,auc,0.8,\n"
    )
    (own / "results.csv").write_text(bad, encoding="utf-8")
    with pytest.raises(IngestError, match="nothing was stored") as caught:
        import_file(either, own, Search(), WHY)
    said = [str(problem) for problem in caught.value.problems]
    assert "column table: found 'juodelyte2024x'; must be in benchmark_tables.csv" in said[0]
    assert "column dataset: found 'bloodmnistt'; must be in benchmark_datasets.csv" in said[1]
    assert "column backbone: found 'VGG-61'; must be in backbones.csv" in said[2]
    with either.connect() as connection:
        tables = export.rows(connection)
    assert [row["table"] for row in tables["benchmark_tables.csv"]] == ["evtl2026", "juodelyte2024"]


def test_a_question_in_sql_compares_backbones_on_the_same_data(either: Store) -> None:
    query = (
        "select backbone, value from benchmark_result where dataset = 'breastmnist' "
        "and pretraining = 'imagenet' order by value desc limit 1"
    )
    assert evtl("sql", query, "--format", "csv") == "backbone,value\nConvNeXt,0.915831\n"
