"""The programming interface, described."""

from fastapi import APIRouter

router = APIRouter()
