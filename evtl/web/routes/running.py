"""Trainings: what runs, what ran, and what came of it."""

from fastapi import APIRouter

router = APIRouter()
