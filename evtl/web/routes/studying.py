"""Studies: finding and reading them."""

from fastapi import APIRouter

router = APIRouter()
