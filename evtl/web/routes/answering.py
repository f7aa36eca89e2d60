"""Asking which network, and the answer."""

from fastapi import APIRouter

router = APIRouter()
