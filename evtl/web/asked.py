"""The question of an address: what was typed, and what it means.

`/recommend`, `/explain` and `/train`, and those of them below `/api`, take the same parameters.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Depends, Query
from starlette.requests import Request

from evidence.errors import EvtlError
from evidence.records import Record
from evtl.asking import TaskOptions, whole
from evtl.image_services import Held
from evtl.web.roots import OutsideError, contained
from evtl.web.sessions import settings_of
from recommender.records import Goal

#: Names of the parameters as the command line writes them.
OPTION = re.compile(
    r"--(modality|anatomy|n|classes|task|goal|candidates|approaches|available|augmented-n|data)"
    r"(?![\w-])"
)
#: A hint at what only the command line can do.
ONLY_THERE = re.compile(r" \(--data DIR --probe\)")
NO_ROOT = "no folder may be read here; start evtl serve with --data-root FOLDER"


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
            raise OutsideError(NO_ROOT)
        return contained(root, self.data)


def root_of(request: Request) -> Path:
    """Folder below which images may be read.

    Raises
    ------
    OutsideError
        None may.
    """
    root = settings_of(request).data_root
    if root is None:
        raise OutsideError(NO_ROOT)
    return root


async def typed(
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
def in_these_words(root: Path | None = None) -> Iterator[None]:
    """Errors of a question name its parameters as an address does, not as the command line.

    Parameters
    ----------
    root : pathlib.Path or None
        Folder of images; where it lies is not told.

    Raises
    ------
    AskedError
        For an error of evtl.
    """
    try:
        yield
    except EvtlError as error:
        said = str(error)
        if root is not None:
            said = said.replace(f"{root}{os.sep}", "").replace(str(root), "this folder")
        raise AskedError(here(said)) from error


def here(text: str) -> str:
    """A sentence whose options of the command line are called as in the address."""
    return OPTION.sub(lambda found: found[1].replace("-", "_"), ONLY_THERE.sub("", text))


def filled_in(asked: Typed, found: Held) -> Typed:
    """A question with what its folder says; what was typed stays, for it may contradict that."""
    said = {
        "n": str(found.n_images),
        "classes": "" if found.n_classes is None else str(found.n_classes),
        "task": found.task,
    }
    empty = {name: text for name, text in said.items() if not getattr(asked, name)}
    return asked.model_copy(update=empty)


def _number(name: str, text: str) -> int | None:
    try:
        return whole(text) if text else None
    except ValueError as error:
        msg = f"{name}: {error}"
        raise AskedError(msg) from error
