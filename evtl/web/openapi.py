"""The application's description of itself, as it really answers.

FastAPI gives errors the media type of the answer, and takes whole docstrings over, with what is
written for programmers.
"""

import re
from typing import Any

from fastapi import FastAPI

#: Heading of a part of a docstring.
SECTION = re.compile(r"^\w+\n-{3,}$", re.MULTILINE)
PROBLEM, PROBLEM_MEDIA = "#/components/schemas/Problem", "application/problem+json"


class DescribedApp(FastAPI):
    """An application whose errors are problem details and whose docstrings are numpy's."""

    def openapi(self) -> dict[str, Any]:
        """OpenAPI 3.1."""
        if self.openapi_schema is None:
            found = super().openapi()
            for methods in found["paths"].values():
                for operation in methods.values():
                    _tidied(operation)
                    for answer in operation["responses"].values():
                        _as_problem(answer)
            for schema in found["components"]["schemas"].values():
                _tidied(schema)
        return self.openapi_schema or {}


def _tidied(part: dict[str, Any]) -> None:
    """Leave out what a docstring says to programmers."""
    if "description" in part:
        part["description"] = SECTION.split(part["description"], maxsplit=1)[0].strip()


def _as_problem(answer: dict[str, Any]) -> None:
    content = answer.get("content", {})
    for media, said in list(content.items()):
        if said.get("schema", {}).get("$ref") == PROBLEM:
            del content[media]
            content[PROBLEM_MEDIA] = said
