"""An OpenAPI description -> what a page tells: operations, and fields of what they use."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from evidence.records import Record

#: A part of the description, which is JSON.
Part = Mapping[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
#: Where schemas with a name are.
NAMED = "#/components/schemas/"
#: Names of the framework's own schemas of bodies that are forms.
FORM_SCHEMA = "Body_"
#: What is held by an answer that says what went wrong.
PROBLEM = ("Problem",)
#: Values of an enumeration beyond which their number is told instead.
MOST_VALUES = 12
#: Words of the bounds that a value may have.
BOUNDS = {
    "minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}",
    "exclusiveMaximum": "below {}", "minLength": "at least {} characters",
    "maxLength": "at most {} characters", "minItems": "at least {}", "maxItems": "at most {}",
}  # fmt: skip


class Field(Record):
    """A parameter, or a field of a body.

    Attributes
    ----------
    place : str
        ``query``, ``path`` or ``header``; empty for a field of a body.
    kind : str
        What it may be, in words.
    schemas : tuple of str
        Named schemas that it holds.
    """

    name: str
    place: str = ""
    kind: str
    required: bool
    default: str = ""
    text: str = ""
    schemas: tuple[str, ...] = ()


class Schema(Record):
    """What a named part of a body or of an answer holds."""

    name: str
    text: str
    fields: tuple[Field, ...]


class Answer(Record):
    """What may be answered; `schemas` are the named schemas in it."""

    status: str
    text: str
    kind: str
    schemas: tuple[str, ...]


class Operation(Record):
    """One method of one address.

    Attributes
    ----------
    group : str
        What stands behind ``/api/`` first.
    body : tuple of Field
        What is sent; one field without a name where it is a whole.
    media : str
        Of the body; empty where there is none.
    example : str
        A line for a terminal.
    """

    method: str
    path: str
    group: str
    summary: str
    text: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    media: str
    answers: tuple[Answer, ...]
    example: str

    @property
    def errors(self) -> tuple[str, ...]:
        """Statuses of answers that are problem details."""
        return tuple(each.status for each in self.answers if each.schemas == PROBLEM)

    @property
    def anchor(self) -> str:
        """Of its place on the page."""
        return "-".join([self.method, *self.path.replace("{", "").replace("}", "").split("/")[2:]])


def operations(description: Part, address: str) -> tuple[Operation, ...]:
    """Every operation below ``/api/``, by address.

    Parameters
    ----------
    description : mapping
        OpenAPI 3.1, as the app makes it.
    address : str
        Of the server, for the examples, without a slash at its end.
    """
    return tuple(
        _operation(description, address, path, method, said)
        for path, methods in sorted(description["paths"].items())
        for method, said in methods.items()
        if method in METHODS and path.startswith("/api/")
    )


def _operation(whole: Part, address: str, path: str, method: str, said: Part) -> Operation:
    parameters = tuple(_parameter(each) for each in said.get("parameters", ()))
    media, body = _body(whole, said)
    return Operation(
        method=method.upper(),
        path=path,
        group=path.split("/")[2],
        summary=said.get("summary", ""),
        text=said.get("description", ""),
        parameters=parameters,
        body=body,
        media=media,
        answers=tuple(_answer(*each) for each in sorted(said["responses"].items())),
        example=_example(address + path, method, parameters, media, body),
    )


def _parameter(said: Part) -> Field:
    found = _field(said["name"], said["schema"], required=said.get("required", False))
    text = said.get("description") or found.text
    return found.model_copy(update={"place": said["in"], "text": text})


def _field(name: str, schema: Part, *, required: bool) -> Field:
    default = schema.get("default")
    return Field(
        name=name,
        kind=kind_of(schema),
        required=required,
        default="" if default is None else json.dumps(default, ensure_ascii=False),
        text=schema.get("description", ""),
        schemas=tuple(named_in(schema)),
    )


def _fields(schema: Part) -> tuple[Field, ...]:
    needed = schema.get("required", ())
    return tuple(
        _field(name, each, required=name in needed)
        for name, each in schema.get("properties", {}).items()
    )


def _body(whole: Part, said: Part) -> tuple[str, tuple[Field, ...]]:
    content = said.get("requestBody", {}).get("content", {})
    for media, body in content.items():
        name = body["schema"].get("$ref", "").removeprefix(NAMED)
        if name.startswith(FORM_SCHEMA):
            return media, _fields(whole["components"]["schemas"][name])
        return media, (_field("", body["schema"], required=True),)
    return "", ()


def _answer(status: str, said: Part) -> Answer:
    schemas = [media.get("schema", {}) for media in said.get("content", {}).values()]
    kinds = dict.fromkeys(filter(None, map(kind_of, schemas)))
    named = dict.fromkeys(name for schema in schemas for name in named_in(schema))
    return Answer(
        status=status, text=said["description"], kind=" or ".join(kinds), schemas=tuple(named)
    )


def _example(
    address: str, method: str, parameters: tuple[Field, ...], media: str, body: tuple[Field, ...]
) -> str:
    """A line for a terminal; what has to be put in stands in capitals."""
    for each in parameters:
        if each.place == "path":
            address = address.replace(f"{{{each.name}}}", each.name.upper())
    asked = [f"{p.name}={p.name.upper()}" for p in parameters if p.place == "query" and p.required]
    words = ["curl", *(["-X", method.upper()] if method != "get" else [])]
    if method != "get":
        words += ["-H", '"Authorization: Bearer $TOKEN"']
    if media == "multipart/form-data":
        words += [f"-F {each.name}=@FILE" for each in body if each.required]
    elif media:
        words += ["-H", f"'content-type: {media}'", "--data @FILE"]
    return " ".join([*words, f"'{'?'.join([address, *filter(None, ['&'.join(asked)])])}'"])


def schemas_of(description: Part, used: tuple[Operation, ...]) -> tuple[Schema, ...]:
    """Named schemas that some operations use, and those that these use, by name."""
    known: Part = description.get("components", {}).get("schemas", {})
    waiting = [name for operation in used for name in _used(operation)]
    found: dict[str, Schema] = {}
    while waiting:
        name = waiting.pop()
        if name not in found and name in known:
            found[name] = _schema(name, known[name])
            waiting += [inner for field in found[name].fields for inner in field.schemas]
    return tuple(found[name] for name in sorted(found))


def _used(operation: Operation) -> Iterator[str]:
    for field in (*operation.parameters, *operation.body):
        yield from field.schemas
    for answer in operation.answers:
        yield from answer.schemas


def _schema(name: str, said: Part) -> Schema:
    fields = _fields(said) or (_field("", said, required=True),)
    return Schema(name=name, text=said.get("description", ""), fields=fields)


def named_in(schema: Part) -> Iterator[str]:
    """Names of the schemas that a schema holds, each as often as it does."""
    if "$ref" in schema:
        yield schema["$ref"].removeprefix(NAMED)
    for inner in _inner(schema):
        yield from named_in(inner)


def _inner(schema: Part) -> Iterator[Part]:
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from schema.get(word, ())
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), Mapping):
            yield schema[word]


def kind_of(schema: Part) -> str:
    """What a schema allows, in words; empty where it allows anything."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(NAMED)
    if choices := [kind_of(each) for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]:
        return " or ".join(dict.fromkeys(filter(None, choices)))
    if (values := _values(schema)) is not None:
        return values
    bounds = [words.format(schema[word]) for word, words in BOUNDS.items() if word in schema]
    return ", ".join(filter(None, [_type(schema), *bounds]))


def _values(schema: Part) -> str | None:
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    values = schema.get("enum")
    if values is None:
        return None
    if len(values) > MOST_VALUES:
        return f"one of {len(values)} words, such as {', '.join(map(str, values[:3]))}"
    return " | ".join(map(str, values))


def _type(schema: Part) -> str:
    kind = str(schema.get("type", ""))
    if kind == "array":
        inner = [kind_of(schema["items"])] if "items" in schema else []
        inner += [kind_of(each) for each in schema.get("prefixItems", ())]
        return f"list of {', '.join(dict.fromkeys(inner))}" if inner else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind_of(schema['additionalProperties']) or 'anything'}"
    if "contentMediaType" in schema or schema.get("format") == "binary":
        return "file"
    return {"string": "text"}.get(kind, kind)
