"""A trained model applied to one image that is uploaded."""

from fastapi import APIRouter

router = APIRouter()
