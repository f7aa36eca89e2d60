"""The evidence as a whole: maps, plots, flows, reproduced figures, disagreements."""

from fastapi import APIRouter

router = APIRouter()
