"""Every page there is, as a person would come to it.

`test_pages` fails where a route of the app is in neither list.
"""

SQL_REFUSED = "/sql?query=DROP+TABLE+study"
QUESTION = "modality=ultrasound&anatomy=breast&n=800&classes=2"
#: Route -> examples of it. ``{run}`` finished, ``{cancelled}`` did not; ``{study}`` was typed in by
#: change set ``{change}``.
PAGES: dict[str, tuple[str, ...]] = {
    "/": ("/", f"/?{QUESTION}&goal=cost"),
    "/recommend": (
        f"/recommend?{QUESTION}",
        "/recommend?modality=ultrasound&data=breast",
        "/recommend?modality=nothing&n=5",
    ),
    "/explain": (f"/explain?{QUESTION}",),
    "/train": ("/train", "/train?modality=ultrasound&anatomy=breast&data=breast"),
    "/runs": ("/runs", "/runs?shipped=true"),
    "/runs/{run}": ("/runs/{run}", "/runs/{cancelled}"),
    "/runs/{run}/try": ("/runs/{run}/try",),
    "/studies": ("/studies", "/studies?modality=ultrasound", "/studies?words=nothingiscalledso"),
    "/studies/{key}": ("/studies/{study}", "/studies/shin-2016"),
    "/add-study": ("/add-study",),
    "/studies/{key}/edit": ("/studies/{study}/edit",),
    "/evidence": ("/evidence",),
    "/evidence/gaps": ("/evidence/gaps",),
    "/evidence/forest": ("/evidence/forest?modality=ultrasound",),
    "/evidence/plots/{kind}": ("/evidence/plots/benchmarks", "/evidence/plots/years"),
    "/evidence/prisma": ("/evidence/prisma",),
    "/evidence/reproduction": ("/evidence/reproduction",),
    "/evidence/disagreements": ("/evidence/disagreements",),
    "/changes": ("/changes",),
    "/changes/{number}": ("/changes/{change}",),
    "/releases": ("/releases",),
    "/diff": ("/diff", "/diff?before=furnished"),
    "/sql": (
        "/sql",
        "/sql?query=SELECT+review,count(*)+FROM+extraction+GROUP+BY+1",
        SQL_REFUSED,
    ),
    "/docs": ("/docs",),
    "/docs/{group}": ("/docs/runs", "/docs/studies"),
    "/sign-in": ("/sign-in?to=/runs",),
    "404": ("/nothing",),
}
#: Examples that say what is wrong, with the status that says so too.
REFUSED = {"/recommend?modality=nothing&n=5": 400, SQL_REFUSED: 400, "/nothing": 404}
#: Routes that answer with something else than a page.
NOT_PAGES = frozenset(
    {
        "/runs/{run}/events",
        "/runs/{run}/report",
        "/runs/{run}/files/{name}",
        "/evidence/plots/{kind}.svg",
        "/evidence/prisma.svg",
    }
)
