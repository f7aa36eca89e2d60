"""The evidence as a whole: what there is, what there is not, and what contradicts what."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, get_args
from urllib.parse import urlencode

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from evidence.disagreements import DisagreementRecord
from evidence.errors import NothingToDrawError
from evidence.flow import Flow
from evidence.reproduce import Reproduction
from evidence.vocabulary import ANATOMY, MODALITY, Metric, Vocabulary
from evtl import corpus_services, gap_services
from evtl import showing_services as services
from evtl.gap_services import Cell, GapMap
from evtl.plots import Kind, PlotOptions, PlotTable
from evtl.showing_services import Overview, ReviewNumbers
from evtl.web.kept_pages import kept_page
from evtl.web.paging import PER_PAGE, PageNumber, Pages, PerPage, ShownPerPage, paged

router = APIRouter()

#: A picture carries its own styles and nothing else; it is no page.
PICTURE = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
#: Pictures drawn or waited for at once: pages do not wait for those who wait for pictures.
_DRAWING = CapacityLimiter(4)
#: Names of the plots as people read them, and what each shows.
PLOTS: dict[Kind, tuple[str, str]] = {
    "forest": ("Results", "what studies report, with intervals where they can be had"),
    "benchmarks": ("Head to head", "which family did better than which on the same data"),
    "years": ("Years", "studies by year of publication and review"),
    "sizes": ("Results by size", "what studies report against their number of images"),
    "approaches": ("Approaches", "which approach was chosen for how many images"),
    "gap-map": ("Gap map", "studies by modality and anatomy, and how sure advice would be"),
}
_Blank = BeforeValidator(lambda typed: None if typed == "" else typed)
Name = Annotated[Annotated[str, Field(max_length=80)] | None, _Blank]
Modality = Annotated[Name, Query(description="And narrower ones, e.g. ultrasound.")]
Anatomy = Annotated[Name, Query(description="And narrower ones, e.g. lung.")]
Review = Annotated[Name, Query(description="e.g. morid2022.")]
Only = Annotated[
    Literal["", "differing"], Query(description="differing: only figures that do not agree.")
]


async def plot_options(
    modality: Modality = None,
    anatomy: Anatomy = None,
    metric: Annotated[Metric, Query(description="Of forest and sizes.")] = "auc",
) -> PlotOptions:
    """Dependency: what is drawn of."""
    return PlotOptions.typed(modality, anatomy, metric)


Options = Annotated[PlotOptions, Depends(plot_options)]


class ReproductionPages(Pages[Reproduction]):
    """One page of printed figures beside recomputed ones, and how many agree."""

    reviews: tuple[ReviewNumbers, ...]


@router.get("/evidence", include_in_schema=False)
def evidence_page(request: Request) -> HTMLResponse:
    """What there is, and where to look at it."""
    return kept_page(
        request, "evidence.html", lambda: {"overview": services.overview(), "plots": PLOTS}
    )


@router.get("/api/evidence")
def evidence_overview() -> Overview:
    """Say in numbers what there is."""
    return services.overview()


class Row(NamedTuple):
    """A modality of the gap map: its cell for each anatomy, None where there is no study."""

    key: str
    depth: int
    cells: tuple[Cell | None, ...]


@router.get("/evidence/gaps", include_in_schema=False)
def gaps_page(request: Request) -> HTMLResponse:
    """Modality by anatomy: where there are studies."""
    found = gap_services.gap_map()

    def shown() -> dict[str, Any]:
        places = _used(ANATOMY, {cell.anatomy for cell in found.cells})
        most = max((cell.n_studies for cell in found.cells), default=1)
        rows = _rows(found.cells, places)
        return {"found": found, "places": places, "rows": rows, "most": most}

    return kept_page(request, "gaps.html", shown, found.complete)


def _rows(cells: Sequence[Cell], places: Sequence[str]) -> list[Row]:
    by_place = {(cell.modality, cell.anatomy): cell for cell in cells}
    return [
        Row(key, len(MODALITY.path(key)) - 1, tuple(by_place.get((key, p)) for p in places))
        for key in _used(MODALITY, {cell.modality for cell in cells})
    ]


def _used(tree: Vocabulary, keys: set[str]) -> list[str]:
    return [key for key in tree.in_tree() if key in keys]


@router.get("/api/evidence/gaps")
def list_gaps() -> GapMap:
    """Count studies by modality and anatomy; how sure advice would be follows when `complete`."""
    return gap_services.gap_map()


@router.get("/evidence/forest", include_in_schema=False)
def forest_page(request: Request, options: Options) -> HTMLResponse:
    """Reported results one by one, and what they pool to."""
    return _plot_page(request, "forest", options)


@router.get("/api/evidence/forest")
def forest_table(options: Options) -> PlotTable:
    """List reported results of a metric, and what they pool to."""
    return services.plot_table("forest", options)


@router.get("/evidence/plots/{kind}.svg", include_in_schema=False)
async def plot_picture(kind: Kind, options: Options) -> Response:
    """A plot as a picture."""
    draw = partial(services.plot_picture, kind, options)
    return _picture(await to_thread.run_sync(draw, limiter=_DRAWING))


@router.get("/evidence/plots/{kind}", include_in_schema=False)
def plot_page(request: Request, kind: Kind, options: Options) -> HTMLResponse:
    """A plot with its numbers."""
    return _plot_page(request, kind, options)


@router.get("/api/evidence/plots/{kind}")
def plot_table(kind: Kind, options: Options) -> PlotTable:
    """Give the numbers of a plot."""
    return services.plot_table(kind, options)


def _plot_page(request: Request, kind: Kind, options: PlotOptions) -> HTMLResponse:
    def shown() -> dict[str, Any]:
        title, said = PLOTS[kind]
        asked = urlencode(options.model_dump(exclude_none=True))
        try:
            table, why = services.plot_table(kind, options), ""
        except NothingToDrawError as error:
            table, why = None, str(error)
        return {
            "kind": kind, "title": title, "said": said, "options": options, "table": table,
            "why": why, "picture": f"/evidence/plots/{kind}.svg?{asked}",
            "metrics": [(metric, metric) for metric in get_args(Metric)],
        }  # fmt: skip

    known = kind == "gap-map" and gap_services.gap_map().complete
    return kept_page(request, "plot.html", shown, known)


def _picture(content: bytes) -> Response:
    return Response(content, media_type="image/svg+xml", headers=PICTURE)


@router.get("/evidence/prisma", include_in_schema=False)
def prisma_page(request: Request, review: Review = None) -> HTMLResponse:
    """How a review came to its studies."""

    def shown() -> dict[str, Any]:
        reviews = services.flow_reviews()
        asked = review or next(iter(reviews), None)
        return {"found": services.review_flow(asked), "reviews": reviews}

    return kept_page(request, "prisma.html", shown)


@router.get("/evidence/prisma.svg", include_in_schema=False)
async def prisma_picture(review: Review = None) -> Response:
    """The flow of a review as a picture."""

    def draw() -> bytes:
        return services.flow_picture(services.review_flow(review))

    return _picture(await to_thread.run_sync(draw, limiter=_DRAWING))


@router.get("/api/evidence/prisma")
def prisma_steps(review: Review = None) -> Flow:
    """Give the flow of a review: counted while it lives, else as printed."""
    return services.review_flow(review)


@router.get("/evidence/reproduction", include_in_schema=False)
def reproduction_page(
    request: Request,
    review: Review = None,
    only: Only = "",
    page: PageNumber = 1,
    per_page: ShownPerPage = PER_PAGE,
) -> HTMLResponse:
    """Printed figures beside those that the rows give."""

    def shown() -> dict[str, Any]:
        reviews = services.verdicts(corpus_services.reproduce(None))
        return {
            "found": _reproduced(request, review, only, page, per_page),
            "known": [("", "all"), *((each.review, each.review) for each in reviews)],
            "review": review, "only": only, "verdicts": services.VERDICTS,
        }  # fmt: skip

    return kept_page(request, "reproduction.html", shown)


@router.get("/api/evidence/reproduction")
def list_reproduction(
    request: Request,
    review: Review = None,
    only: Only = "",
    page: PageNumber = 1,
    per_page: PerPage = PER_PAGE,
) -> ReproductionPages:
    """List figures that reviews print beside those that their rows give, and why they differ."""
    return _reproduced(request, review, only, page, per_page)


def _reproduced(
    request: Request, review: str | None, only: str, page: int, per_page: int
) -> ReproductionPages:
    found = corpus_services.reproduce(review)
    listed = [item for item in found if not only or item.verdict != "agrees"]
    pages = paged(request, listed, page, per_page)
    return ReproductionPages(**dict(pages), reviews=services.verdicts(found))


@router.get("/evidence/disagreements", include_in_schema=False)
def disagreements_page(
    request: Request,
    modality: Modality = None,
    page: PageNumber = 1,
    per_page: ShownPerPage = PER_PAGE,
) -> HTMLResponse:
    """Where reviews contradict each other or themselves."""

    def shown() -> dict[str, Any]:
        return {
            "found": _contradictions(request, modality, page, per_page),
            "modality": MODALITY.resolve(modality) if modality else None,
        }

    return kept_page(request, "disagreements.html", shown)


@router.get("/api/evidence/disagreements")
def list_disagreements(
    request: Request, modality: Modality = None, page: PageNumber = 1, per_page: PerPage = PER_PAGE
) -> Pages[DisagreementRecord]:
    """List where reviews contradict each other or themselves, each side with its source."""
    return _contradictions(request, modality, page, per_page)


def _contradictions(
    request: Request, modality: str | None, page: int, per_page: int
) -> Pages[DisagreementRecord]:
    told = corpus_services.disagreements(modality)
    return paged(request, (*told.found, *told.of_studies), page, per_page)
