"""Placeholder."""

from evidence.rows import Row


class CrosswalkRow(Row):
    natural_key = ("review", "field", "category", "second_category")
    review: str
    field: str
    category: str
    second_category: str
    modality: str
    anatomy: str
    approach: str
    note: str
