"""The question of an address: what was typed, and what it means.

`/recommend`, `/explain` and `/train`, and those of them below `/api`, take the same parameters.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query

from evidence.errors import EvtlError
from evidence.records import Record
from evtl.asking import TaskOptions, whole
from evtl.web.roots import OutsideError, contained
from recommender.records import Goal

#: Names of the parameters as the command line writes them.
OPTION = re.compile(
    r"--(modality|anatomy|n|classes|task|goal|candidates|approaches|available|augmented-n|data)\b"
)


class AskedError(EvtlError):
    """A question that cannot be answered; its parameters are named as in the address."""


class Typed(Record):
    """What was typed; empty where nothing was. It may mean nothing yet."""

    modality: str = ""
    anatomy: str = ""
    n: str = ""
    classes: str = ""
    task: Literal["", "classification", "regression"] = ""
    goal: Literal["", Goal] = ""
    candidates: str = ""
    approaches: str = ""
    available: Literal["", "true", "false"] = ""
    augmented_n: str = ""
    data: str = ""

    @property
    def query(self) -> str:
        """The question as the query of an address."""
        return urlencode({name: text for name, text in self.model_dump().items() if text})

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked."""
        return not self.query

    def options(self) -> TaskOptions:
        """The task as typed, its numbers read.

        Raises
        ------
        AskedError
            What should be a number is none.
        """
        return TaskOptions(
            modality=self.modality or None,
            n_images=_number("n", self.n),
            anatomy=self.anatomy or None,
            n_classes=_number("classes", self.classes),
            task=self.task or "classification",
            n_augmented=_number("augmented_n", self.augmented_n),
            goal=self.goal or "balanced",
            candidates=self.candidates or None,
            approaches=self.approaches or None,
            available=self.available == "true",
        )

    def folder(self, root: Path | None) -> Path | None:
        """The folder of images that is asked about; None where none is named.

        Raises
        ------
        OutsideError
            It is not below the root, or no folder may be read at all.
        """
        if not self.data:
            return None
        if root is None:
            msg = "data: no folder may be read here; start evtl serve with --data-root FOLDER"
            raise OutsideError(msg)
        return contained(root, self.data)


def typed(
    modality: Annotated[str, Query(max_length=80, description="e.g. ultrasound, us, CXR.")] = "",
    anatomy: Annotated[str, Query(max_length=80, description="What the images show.")] = "",
    n: Annotated[str, Query(max_length=20, description="Number of images: 1200, 1e3.")] = "",
    classes: Annotated[str, Query(max_length=20, description="Number of classes.")] = "",
    task: Annotated[
        Literal["", "classification", "regression"], Query(description="What is to be learned.")
    ] = "",
    goal: Annotated[Literal["", Goal], Query(description="What the choice is good at.")] = "",
    candidates: Annotated[
        str, Query(max_length=1000, description="Only these networks, between commas.")
    ] = "",
    approaches: Annotated[
        str, Query(max_length=400, description="Only these: frozen, partial, full, random.")
    ] = "",
    available: Annotated[
        Literal["", "true", "false"], Query(description="Only weights on this machine.")
    ] = "",
    augmented_n: Annotated[
        str, Query(max_length=20, description="Number of images after augmentation.")
    ] = "",
    data: Annotated[
        str, Query(max_length=500, description="Folder of images below the data root.")
    ] = "",
) -> Typed:
    """Dependency: the question of an address; a parameter that is empty is not given."""
    return Typed(
        modality=modality.strip(),
        anatomy=anatomy.strip(),
        n=n.strip(),
        classes=classes.strip(),
        task=task,
        goal=goal,
        candidates=candidates.strip(),
        approaches=approaches.strip(),
        available=available,
        augmented_n=augmented_n.strip(),
        data=data,
    )


Asked = Annotated[Typed, Depends(typed)]


@contextmanager
def in_these_words() -> Iterator[None]:
    """Errors of a question name its parameters as an address does, not as the command line.

    Raises
    ------
    AskedError
        For an error of evtl.
    """
    try:
        yield
    except EvtlError as error:
        said = OPTION.sub(lambda found: found[1].replace("-", "_"), str(error))
        raise AskedError(said) from error


def _number(name: str, text: str) -> int | None:
    try:
        return whole(text) if text else None
    except ValueError as error:
        msg = f"{name}: {error}"
        raise AskedError(msg) from error
