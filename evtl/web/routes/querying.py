"""Questions in SQL."""

from fastapi import APIRouter

router = APIRouter()
