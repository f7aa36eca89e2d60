"""A browser without a screen: keeps cookies, and sends the word that forms carry."""

import re
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response

from evtl.web.app import create_app
from evtl.web.settings import Settings

TOKEN = "a-token-for-tests-only"
WORD = re.compile(r'name="csrf" (?:content|value)="([^"]+)"')


class Visit:
    """One visitor of a served page."""

    def __init__(self, settings: Settings) -> None:
        self.client = TestClient(
            create_app(settings), base_url="http://127.0.0.1:8000", follow_redirects=False
        )

    def get(self, address: str, **how: Any) -> Response:
        """What is answered, whatever it is."""
        return self.client.get(address, **how)

    def shown(self, address: str) -> str:
        """A page that must be there."""
        found = self.client.get(address)
        assert found.status_code == 200, found.text
        return found.text

    def word(self) -> str:
        """The word that this session's forms carry."""
        found = WORD.search(self.shown("/sign-in"))
        assert found is not None
        return found[1]

    def post(self, address: str, data: dict[str, Any] | None = None, **how: Any) -> Response:
        """Send a form as one of our pages would."""
        return self.client.post(address, data={"csrf": self.word(), **(data or {})}, **how)

    def signed_in(self) -> "Visit":
        """The same visitor, who showed the token."""
        assert self.get(f"/sign-in?token={TOKEN}").status_code == 303
        return self

    def program(self, method: str, address: str, **how: Any) -> Response:
        """What a program is answered that shows the token."""
        headers = {"Authorization": f"Bearer {TOKEN}"} | how.pop("headers", {})
        return self.client.request(method, address, headers=headers, **how)
