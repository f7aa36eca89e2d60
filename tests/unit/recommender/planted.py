"""Small tables of measured values, made up so that the answer is known."""

from collections.abc import Mapping, Sequence

from hypothesis import strategies as st

from recommender.configuration import Configuration, Observation, Task

#: Backbone -> its family; the last three are never measured.
FAMILIES = {"a1": "A", "a2": "A", "b1": "B", "c1": "C", "a3": "A", "c2": "C", "d1": "D"}
MEASURED = ("a1", "a2", "b1", "c1")


def network(backbone: str, family: str = "") -> Configuration:
    """A frozen backbone with a linear head, of a family of its own where none is said."""
    name = family or FAMILIES.get(backbone, f"family of {backbone}")
    return Configuration(backbone, name, "feature_extractor", "linear")


def table(
    values: Mapping[str, Mapping[str, float]], name: str = "made up", metric: str = "auc"
) -> tuple[Observation, ...]:
    """Observations from data set -> backbone -> value."""
    return tuple(
        Observation(name, Task(dataset), network(backbone), metric, value)
        for dataset, row in values.items()
        for backbone, value in row.items()
    )


@st.composite
def tables(draw: st.DrawFn) -> tuple[Observation, ...]:
    """Two incomplete tables of data sets that share origins, with ties."""
    tasks = [draw(_tasks(f"set {n}")) for n in range(draw(st.integers(2, 5)))]
    cells = [
        Observation(name, task, network(backbone), "auc", draw(st.integers(0, 4)) / 10)
        for name in ("first", "second")
        for task in tasks
        for backbone in MEASURED
    ]
    kept: Sequence[bool] = draw(st.lists(st.booleans(), min_size=len(cells), max_size=len(cells)))
    return tuple(cell for cell, is_kept in zip(cells, kept, strict=True) if is_kept)


def _tasks(name: str) -> st.SearchStrategy[Task]:
    return st.builds(
        Task,
        name=st.just(name),
        modality=st.sampled_from([None, "ultrasound", "mammography", "xray"]),
        anatomy=st.sampled_from([None, "breast", "lung"]),
        n_images=st.sampled_from([None, 100, 30_000]),
        n_classes=st.sampled_from([None, 2, 3, 7]),
        origin=st.sampled_from(["", "one hospital", "another"]),
    )
