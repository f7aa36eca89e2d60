"""Studies: finding them, and everything that is stored of one."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse

from evidence.disagreements import DisagreementRecord
from evidence.listing import Facet, StudyFilter
from evidence.shelf import StudyLine
from evidence.study_page import StudyPage
from evidence.vocabulary import Approach
from evtl import corpus_services as services
from evtl.web.kept_pages import kept_page
from evtl.web.paging import PER_PAGE, PageNumber, Pages, PerPage, ShownPerPage, paged

router = APIRouter()

#: Characters of a name, of words, and the most images and years that may be asked for.
NAME, WORDS, IMAGES = 80, 300, 10**12
#: What forms send where nothing was typed.
_Blank = BeforeValidator(lambda typed: None if typed == "" else typed)
Name = Annotated[Annotated[str, Field(max_length=NAME)] | None, _Blank]
Images = Annotated[Annotated[int, Field(ge=0, le=IMAGES)] | None, _Blank]
Year = Annotated[Annotated[int, Field(ge=1000, le=2100)] | None, _Blank]


async def wanted(
    modality: Annotated[Name, Query(description="And narrower ones, e.g. ultrasound.")] = None,
    anatomy: Annotated[Name, Query(description="And narrower ones, e.g. lung.")] = None,
    backbone: Annotated[Name, Query(description="Backbone or family.")] = None,
    family: Annotated[Name, Query(description="Family of the backbone, e.g. VGGNet.")] = None,
    approach: Annotated[Approach | None, _Blank, Query(description="How it was used.")] = None,
    review: Annotated[Name, Query(description="Read by this review, e.g. morid2022.")] = None,
    words: Annotated[
        str, Query(max_length=WORDS, description="All of them, in what is known of a study.")
    ] = "",
    n_min: Annotated[Images, Query(description="At least so many images.")] = None,
    n_max: Annotated[Images, Query(description="At most so many images.")] = None,
    year_min: Annotated[Year, Query(description="Of this year or later.")] = None,
    year_max: Annotated[Year, Query(description="Of this year or earlier.")] = None,
) -> StudyFilter:
    """Dependency: what an address asks of studies; a parameter that is empty is not given."""
    return StudyFilter(
        modality=modality,
        anatomy=anatomy,
        backbone=backbone,
        family=family,
        approach=approach,
        review=review,
        words=words.strip() or None,
        n_min=n_min,
        n_max=n_max,
        year_min=year_min,
        year_max=year_max,
    )


Wanted = Annotated[StudyFilter, Depends(wanted)]
Key = Annotated[str, Path(max_length=NAME, description="e.g. shin-2016.")]


class StudyPages(Pages[StudyLine]):
    """One page of studies, with how many each further choice would leave."""

    facets: tuple[Facet, ...]


class StudyFound(StudyPage):
    """Everything that is stored of one study, and where its reviews contradict each other."""

    conflicts: tuple[DisagreementRecord, ...]


class Choices(NamedTuple):
    """What is asked of the list, and addresses that ask for something else.

    Attributes
    ----------
    asked : mapping of str to str
        By name of the parameter; what is not asked is not there.
    """

    asked: Mapping[str, str]

    @classmethod
    def of(cls, wanted: StudyFilter) -> "Choices":
        """Choices of a filter."""
        asked = wanted.model_dump(exclude={"limit", "offset"}, exclude_none=True)
        return cls({name: str(value) for name, value in asked.items()})

    def but(self, **changes: str) -> str:
        """Address of the same list with other choices; an empty one is taken away."""
        kept = {name: text for name, text in {**self.asked, **changes}.items() if text}
        return f"/studies?{urlencode(kept)}" if kept else "/studies"

    def chosen(self, facet: str) -> str:
        """Which word of a facet is asked; empty where none is, or several years."""
        if facet != "year":
            return self.asked.get(facet, "")
        first, last = (self.asked.get(name, "") for name in ("year_min", "year_max"))
        return first if first == last else ""

    def choose(self, facet: str, key: str) -> str:
        """Address of the list with this word of a facet, or without it where it is chosen."""
        picked = "" if key == self.chosen(facet) else key
        if facet == "year":
            return self.but(year_min=picked, year_max=picked)
        return self.but(**{facet: picked})

    def among(self, *names: str) -> dict[str, str]:
        """Choices of some names."""
        return {name: self.asked[name] for name in names if name in self.asked}


@router.get("/studies", include_in_schema=False)
def studies_page(
    request: Request, wanted: Wanted, page: PageNumber = 1, per_page: ShownPerPage = PER_PAGE
) -> HTMLResponse:
    """Studies that fit, with facets."""

    def shown() -> dict[str, Any]:
        asked = services.resolved(wanted)
        return {"found": _found(request, asked, page, per_page), "choices": Choices.of(asked)}

    return kept_page(request, "studies.html", shown)


@router.get("/api/studies")
def list_studies(
    request: Request, wanted: Wanted, page: PageNumber = 1, per_page: PerPage = PER_PAGE
) -> StudyPages:
    """Find studies: those that fit, newest first, and how many each further choice would leave."""
    return _found(request, services.resolved(wanted), page, per_page)


def _found(request: Request, asked: StudyFilter, page: int, per_page: int) -> StudyPages:
    part = {"offset": (page - 1) * per_page, "limit": per_page}
    found = services.studies(asked.model_copy(update=part))
    rows = paged(request, found.studies, page, per_page, found.n_found)
    return StudyPages(**dict(rows), facets=found.facets)


@router.get("/studies/{key}", include_in_schema=False)
def study_page(request: Request, key: Key) -> HTMLResponse:
    """Everything that is stored of one study."""

    def shown() -> dict[str, Any]:
        found = services.study(key)
        page = found.page
        by_field = page.by_field()
        return {
            "study": page, "conflicts": found.conflicts, "table": by_field, "near": _near(page),
        }  # fmt: skip

    return kept_page(request, "study.html", shown)


@router.get("/api/studies/{key}")
def show_study(key: Key) -> StudyFound:
    """Show one study with every extraction, its sources, its conflicts and its history."""
    shown = services.study(key)
    return StudyFound(**dict(shown.page), conflicts=shown.conflicts)


def _near(study: StudyPage) -> str:
    """Address of the question that a study is an answer to; empty where no review says of what."""
    names = {"modality": "modality", "anatomy": "anatomy", "n_images": "n", "n_classes": "classes"}
    for extraction in study.extractions:
        said: dict[str, str] = {}
        for fact in extraction.facts:
            said.setdefault(fact.field, fact.value)
        if "modality" in said and "n_images" in said:
            asked = {names[field]: said[field] for field in names if field in said}
            return f"/recommend?{urlencode(asked)}"
    return ""
