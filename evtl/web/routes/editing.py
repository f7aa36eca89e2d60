"""Studies: adding and correcting them, through change sets."""

from fastapi import APIRouter

router = APIRouter()
