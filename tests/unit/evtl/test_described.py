"""What a page tells of an OpenAPI description."""

from typing import Annotated

import pytest
from fastapi import Body, File, Query, UploadFile
from pydantic import BaseModel

from evtl.web.described import Field, Operation, kind_of, operations, schemas_of
from evtl.web.openapi import DescribedApp


class Inner(BaseModel):
    """Said of the inner one."""

    n: int = 3


class Outer(BaseModel):
    """Said of the outer one.

    Attributes
    ----------
    inner : Inner
        For programmers.
    """

    inner: Inner | None = None
    names: tuple[str, ...]


@pytest.fixture
def app() -> DescribedApp:
    made = DescribedApp()

    @made.get("/api/things/{key}")
    def thing(key: str, n: Annotated[int, Query(ge=1, le=9, description="How many.")]) -> Outer:
        """One thing.

        Raises
        ------
        KeyError
            For programmers.
        """
        return Outer(names=(key,) * n)

    @made.put("/api/things/{key}")
    def put(key: str, sent: Outer) -> None:
        """Put a thing there."""

    @made.post("/api/things/{key}/picture")
    def picture(key: str, image: Annotated[UploadFile, File()]) -> None:
        """Put a picture there."""

    @made.get("/elsewhere")
    def elsewhere() -> None:
        """Not for programs."""

    return made


def told(app: DescribedApp) -> dict[str, Operation]:
    found = operations(app.openapi(), "http://127.0.0.1:8000")
    return {f"{each.method} {each.path}": each for each in found}


def test_operations_for_programs_are_told_and_no_others(app: DescribedApp) -> None:
    assert list(told(app)) == [
        "GET /api/things/{key}",
        "PUT /api/things/{key}",
        "POST /api/things/{key}/picture",
    ]
    assert {each.group for each in told(app).values()} == {"things"}


def test_parameters_are_told_with_their_bounds_and_docstrings_without_what_is_raised(
    app: DescribedApp,
) -> None:
    found = told(app)["GET /api/things/{key}"]
    assert found.text == "One thing."
    assert found.parameters == (
        Field(name="key", place="path", kind="text", required=True),
        Field(
            name="n", place="query", kind="integer, from 1, to 9", required=True, text="How many."
        ),
    )


def test_examples_can_be_pasted_and_name_in_capitals_what_is_to_be_put_in(
    app: DescribedApp,
) -> None:
    address = "http://127.0.0.1:8000/api/things/KEY"
    assert [each.example for each in told(app).values()] == [
        f"curl '{address}?n=N'",
        "curl -X PUT -H \"Authorization: Bearer $TOKEN\" -H 'content-type: application/json' "
        f"--data @FILE '{address}'",
        f"curl -X POST -H \"Authorization: Bearer $TOKEN\" -F image=@FILE '{address}/picture'",
    ]


def test_bodies_and_answers_lead_to_their_fields_and_these_to_theirs(app: DescribedApp) -> None:
    found = told(app)
    (body,) = found["PUT /api/things/{key}"].body
    assert (body.kind, body.schemas) == ("Outer", ("Outer",))
    (image,) = found["POST /api/things/{key}/picture"].body
    assert (image.name, image.kind, image.required) == ("image", "file", True)
    outer = next(each for each in found["GET /api/things/{key}"].answers if each.status == "200")
    assert outer.schemas == ("Outer",)
    inner, outer_fields = [
        each
        for each in schemas_of(app.openapi(), (found["PUT /api/things/{key}"],))
        if each.name in {"Inner", "Outer"}
    ]
    assert inner.fields == (Field(name="n", kind="integer", required=False, default="3"),)
    assert outer_fields.text == "Said of the outer one."
    assert [(each.name, each.kind, each.required) for each in outer_fields.fields] == [
        ("inner", "Inner or null", False),
        ("names", "list of text", True),
    ]


def test_a_schema_that_holds_itself_is_told_once() -> None:
    app = DescribedApp()

    class Tree(BaseModel):
        children: "list[Tree]" = []

    @app.post("/api/trees")
    def plant(tree: Annotated[Tree, Body()]) -> None:
        """Plant it."""

    description = app.openapi()
    found = schemas_of(description, operations(description, ""))
    assert [each.name for each in found].count("Tree") == 1


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"enum": ["a", "b"], "type": "string"}, "a | b"),
        ({"enum": list("abcdefghijklmn"), "type": "string"}, "one of 14 words, such as a, b, c"),
        ({"const": 1}, "1"),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
         "list of text, integer"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({"type": "string", "maxLength": 3}, "text, at most 3 characters"),
        ({}, ""),
    ],
)  # fmt: skip
def test_kinds_are_words(schema: dict[str, object], words: str) -> None:
    assert kind_of(schema) == words
