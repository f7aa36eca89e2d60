"""Every page there is, as a person would come to it.

`test_pages` fails where a page of the app is in neither list.
"""

#: Route -> an address of it. ``{run}`` stands for a run that finished.
PAGES = {
    "/sign-in": "/sign-in",
}
#: Routes that answer with something else than a page, or lead on to one.
NOT_PAGES: frozenset[str] = frozenset()
