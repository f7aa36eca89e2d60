"""Why a job failed, in words that name no folder: that of images may be called like a patient."""

import os
from pathlib import Path

from evidence.errors import EvtlError
from evtl.jobs.queue import JobFolder


def reason_of(job: JobFolder, error: Exception) -> str:
    """As the run folder tells it; where nothing was begun, as the error does."""
    runs, told = job.run.parent, job.result()
    if told.get("status") == "failed" and told.get("error"):
        return str(told["error"]).replace(f"{runs}/", "")
    said = str(error) if isinstance(error, EvtlError) else f"{type(error).__name__}: {error}"
    return without_folders(said, job.data).replace(f"{runs}/", "")


def without_folders(text: str, data: Path | None) -> str:
    """A message in which files of a folder go by their own names."""
    if data is None:
        return text
    text = text.replace(f"{data}/", "").replace(str(data), "the data")
    for folder in sorted(_folders(data), key=len, reverse=True):
        text = text.replace(f"{folder}/", "")
    return text


def _folders(data: Path) -> list[str]:
    """Those below it, by their names from there on."""
    found = (Path(folder) for folder, _, _ in os.walk(data))
    return [str(folder.relative_to(data)) for folder in found if folder != data]
