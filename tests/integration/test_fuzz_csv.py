"""Broken CSV and JSON files: one clear error and the store as before, or every row taken."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.changes import Reason
from evidence.errors import EvidenceError
from evidence.imports import Search, import_file
from evidence.shipped import shipped
from evidence.store import Store

WHY = Reason("anna", "fuzz", "import")
#: Files, each cut to its header and a few rows; what they hold is in the store already.
NAMES = (
    "studies.csv", "publications.csv", "claims.csv", "backbones.csv", "reviews.csv", "flow.csv",
    "agreement.csv", "crosswalk.csv", "cells.csv", "printed_figures.csv",
    "benchmark_tables.csv", "benchmark_datasets.csv", "benchmarks.csv", "runs.csv",
)  # fmt: skip


def few(name: str, n_rows: int = 4) -> str:
    with (shipped("data") / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows[: n_rows + 1])
    return text.getvalue()


TEXTS = {name: few(name) for name in NAMES}


def flipped(data: bytes, at: int, byte: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([byte]) + data[at + 1 :]


def inserted(data: bytes, at: int, what: bytes) -> bytes:
    at %= len(data) + 1
    return data[:at] + what + data[at:]


def columns_turned(data: bytes, by: int) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    text = io.StringIO()
    csv.writer(text).writerows([row[by % len(row) :] + row[: by % len(row)] for row in rows])
    return text.getvalue().encode()


AT, BYTE = st.integers(0, 10**6), st.integers(0, 255)
PIECES = st.sampled_from(
    [b"\0", b'"', b'""', b",", b"\r", b"\n", b"\xff", b"\xc3", b"=1+1", b"9" * 30, b"\xe2\x80\xa8",
     b"\xef\xbb\xbf", b"x" * 300, b"-1", b"NaN", b"1e999"]
)  # fmt: skip
#: Ways to spoil a file.
SPOILS: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.builds(lambda at, byte: lambda data: flipped(data, at, byte), AT, BYTE),
    st.builds(lambda at, what: lambda data: inserted(data, at, what), AT, PIECES),
    st.builds(lambda at: lambda data: data[: at % (len(data) + 1)], AT),
    st.builds(lambda at: lambda data: data[at % len(data) :], AT),
    st.sampled_from(
        [
            lambda data: data.decode("utf-8", "replace").encode("utf-16"),
            lambda data: data.decode("utf-8", "replace").encode("latin-1", "replace"),
            lambda data: b"\xef\xbb\xbf" + data,
            lambda data: data.replace(b"\n", b"\r\n"),
            lambda data: data + data,
            lambda _data: b"",
        ]
    ),
)
FILES = st.tuples(st.sampled_from(NAMES), st.lists(SPOILS, min_size=1, max_size=3))


@pytest.fixture(scope="module")
def fuzzed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store that all examples meet one after the other."""
    path = tmp_path_factory.mktemp("fuzz") / "evtl.sqlite"
    shutil.copy(template, path)
    return Store(f"sqlite:///{path}")


def n_records(data: bytes) -> int:
    """Records of a CSV file after its header, by the standard reader."""
    text = data.decode("utf-8-sig")
    return len(list(csv.reader(io.StringIO(text, newline="")))) - 1


def meet(store: Store, name: str, spoils: list[Callable[[bytes], bytes]]) -> None:
    data = TEXTS[name].encode()
    for spoil in spoils:
        data = spoil(data) if data else data
    path = store.path.with_name("fuzzed.csv")
    path.write_bytes(data)
    before = store.path.read_bytes()
    try:
        found = import_file(store, path, Search(), WHY)
    except EvidenceError:
        assert store.path.read_bytes() == before
    else:
        assert found.n_read == n_records(data)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES)
def test_a_spoilt_csv_is_refused_whole_or_taken_whole(
    fuzzed: Store, case: tuple[str, list[Callable[[bytes], bytes]]]
) -> None:
    meet(fuzzed, *case)


@pytest.mark.nightly
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES)
def test_many_spoilt_csv_are_refused_whole_or_taken_whole(
    fuzzed: Store, case: tuple[str, list[Callable[[bytes], bytes]]]
) -> None:
    meet(fuzzed, *case)


#: JSON of any shape, and almost the right one.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
ALMOST = st.dictionaries(st.sampled_from(NAMES), st.lists(JSON, max_size=2), max_size=2)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON | ALMOST)
def test_json_of_any_shape_is_refused_or_taken(fuzzed: Store, case: object) -> None:
    path = fuzzed.path.with_name("fuzzed.json")
    path.write_text(json.dumps(case), encoding="utf-8")
    before = fuzzed.path.read_bytes()
    try:
        import_file(fuzzed, path, Search(), WHY)
    except EvidenceError:
        assert fuzzed.path.read_bytes() == before
