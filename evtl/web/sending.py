"""What a browser sends."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request


async def sent(request: Request) -> dict[str, str]:
    """Dependency: what a form holds, field by field; files are left out."""
    form = await request.form()
    return {name: text for name, text in form.items() if isinstance(text, str)}


Sent = Annotated[dict[str, str], Depends(sent)]
