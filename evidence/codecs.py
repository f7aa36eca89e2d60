"""Every corpus file with its row model and its tables, parents before children."""

from evidence import schema, schema_benchmarks, schema_living, schema_reviews, schema_runs
from evidence.benchmark_rows import (
    BenchmarkDatasetRow,
    BenchmarkRow,
    BenchmarkTableRow,
    ShippedRunRow,
)
from evidence.crosswalk import CrosswalkRow
from evidence.living_rows import IdentifiedRow, ReadingRow, ScreeningRow
from evidence.review_rows import AgreementRow, BackboneFactRow, DisagreementRow, FlowRow
from evidence.rows import (
    BackboneRow,
    CellRow,
    ClaimRow,
    FieldSourceRow,
    PrintedFigureRow,
    PublicationRow,
    ReviewRow,
    StudyRow,
)
from evidence.study_tables import StudyCodec
from evidence.tables import Codec

_STUDY = {"study_key": "study"}
_CELL = {"study_key": "study", "table": "locator_table", "row": "row_label"}

#: File -> codec, in an order in which rows only point to earlier files.
CODECS: dict[str, Codec] = {
    codec.file: codec
    for codec in (
        Codec(
            "reviews.csv", ReviewRow, schema.review, {"review": "key"},
            {"databases": schema.review_database},
        ),
        Codec(
            "publications.csv", PublicationRow, schema.study, {"study_key": "key"},
            {"authors": schema.study_author, "keywords": schema.study_keyword},
        ),
        Codec(
            "backbones.csv", BackboneRow, schema.backbone, {"backbone": "name"},
            {"aliases": schema.backbone_alias},
        ),
        StudyCodec(
            "studies.csv", StudyRow, schema.extraction, {**_STUDY, "table": "locator_table"}
        ),
        Codec("cells.csv", CellRow, schema.printed_cell, {**_CELL, "column": "column_name"}),
        Codec(
            "printed_figures.csv", PrintedFigureRow, schema.printed_figure,
            {"figure": "key"},
        ),
        Codec("claims.csv", ClaimRow, schema.claim, {"claim": "key"}),
        Codec("flow.csv", FlowRow, schema_reviews.flow_step),
        Codec("agreement.csv", AgreementRow, schema_reviews.rater_agreement),
        Codec("backbone_facts.csv", BackboneFactRow, schema_reviews.backbone_fact),
        Codec(
            "disagreements.csv", DisagreementRow, schema_reviews.disagreement_side, _STUDY,
            {
                "modality": schema_reviews.disagreement_modality,
                "anatomy": schema_reviews.disagreement_anatomy,
            },
        ),
        Codec("crosswalk.csv", CrosswalkRow, schema_reviews.crosswalk),
        Codec(
            "field_sources.csv", FieldSourceRow, schema_reviews.field_source,
            {"table": "locator_table", "column": "column_name"},
        ),
        Codec(
            "benchmark_tables.csv", BenchmarkTableRow, schema_benchmarks.benchmark,
            {"table": "key"},
        ),
        Codec(
            "benchmark_datasets.csv", BenchmarkDatasetRow, schema_benchmarks.benchmark_dataset,
            {"dataset": "key"},
        ),
        Codec(
            "benchmarks.csv", BenchmarkRow, schema_benchmarks.benchmark_result,
            {"table": "benchmark"},
        ),
        Codec("runs.csv", ShippedRunRow, schema_runs.shipped_run),
        Codec("identified.csv", IdentifiedRow, schema_living.identified, _STUDY),
        Codec("screening.csv", ScreeningRow, schema_living.screening, _STUDY),
        Codec("readings.csv", ReadingRow, schema_living.reading, _STUDY),
    )
}  # fmt: skip
