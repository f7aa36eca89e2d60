"""The history of the corpus: change sets, releases, differences."""

from fastapi import APIRouter

router = APIRouter()
