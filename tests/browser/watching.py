"""A tab that is watched: whatever goes wrong in it unseen fails the test."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

#: What chromium says where an address is answered with an error, also one that a test asks for.
STATUS = "the server responded with a status of {}"


class Watched:
    """What a tab did that a page of ours never should.

    Attributes
    ----------
    faults : list of str
        Errors of scripts, refusals by the policy, requests to another machine.
    expected : set of int
        Statuses of errors that the test asks for.
    expected_texts : set of str
        Parts of other messages that the test asks for.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.faults: list[str] = []
        self.expected: set[int] = set()
        self.expected_texts: set[str] = set()
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        texts = {*map(STATUS.format, self.expected), *self.expected_texts}
        told = any(text in message.text for text in texts)
        if message.type in {"error", "warning"} and not told:
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        own = request.url.startswith((f"{self.address}/", "data:", "blob:"))
        if not own and not request.url.startswith("about:"):
            self.faults.append(f"request elsewhere: {request.url}")


@contextmanager
def watched(context: BrowserContext, address: str) -> Iterator[Watched]:
    """A new tab; at its end nothing may have gone wrong in it."""
    found = Watched(context.new_page(), address)
    yield found
    found.page.close()
    assert not found.faults, "\n".join(found.faults)
