"""The web application: who is let in, and which routes there are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.staticfiles import StaticFiles

from evtl.web.entering import guard, may_enter
from evtl.web.in_turn import turns
from evtl.web.limits import Bounded, Headered, Refusing, from_here, known_host
from evtl.web.openapi import DescribedApp
from evtl.web.pages import STATIC
from evtl.web.problems import Problem, tell_problems
from evtl.web.routes import (
    answering,
    changing,
    describing,
    editing,
    querying,
    running,
    showing,
    signing,
    studying,
    training,
    trying,
)
from evtl.web.sessions import COOKIE, SESSION_S, session_key
from evtl.web.settings import Settings

#: Statuses of problems that any address may answer.
TOLD = (400, 401, 403, 404, 408, 413, 421, 422)
#: In the order of the menu.
ROUTES = (
    answering, training, running, trying, studying, editing, showing, changing, querying,
    describing, signing,
)  # fmt: skip


def create_app(settings: Settings) -> FastAPI:
    """The application, as `settings` say."""
    app = DescribedApp(
        title="evtl",
        version=version("evtl"),
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        middleware=_middleware(settings),
        dependencies=[Depends(guard)],
        responses={status: {"model": Problem} for status in TOLD},
    )
    app.state.settings, app.state.turns = settings, turns()
    tell_problems(app)
    for routes in ROUTES:
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def _middleware(settings: Settings) -> list[Middleware]:
    """From the outermost inwards."""
    return [
        Middleware(Headered),
        Middleware(Refusing, objection=known_host(settings.hosts)),
        Middleware(Refusing, objection=from_here),
        Middleware(
            SessionMiddleware,
            secret_key=session_key(settings.token),
            session_cookie=COOKIE,
            max_age=SESSION_S,
            same_site="lax",
        ),
        Middleware(Refusing, objection=may_enter),
        Middleware(Bounded),
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """While the page is served, trainings that wait are started one after the other."""
    with training.dispatching(app.state.settings.runs):
        yield
