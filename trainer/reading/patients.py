"""DICOM files of one patient -> one group, of which nothing leads back to the patient."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.errors import UnreadableError
from trainer.reading.dicom import patient_key
from trainer.reading.pixels import kind_of, split_item, told

NO_IDS = "the DICOM files name no patient: give groups in a CSV"
ONE_ID = "all DICOM files name the same patient, so the id was not used: give groups in a CSV"
SOME_IDS = "{n} of {total} images name no patient in their file: each counts as one of its own"
USED_IDS = "groups are the patients that the DICOM files name, without their ids"


class Patients(NamedTuple):
    """Group of each image, None where the files name no patients, and what to tell of it."""

    groups: tuple[str, ...] | None
    notes: tuple[str, ...]


def group_by_patient(root: Path, files: Sequence[str], digests: Sequence[str]) -> Patients:
    """Groups of images whose DICOM files name the same patient.

    A group's name is a digest of its files' content, not of the id: ids are short enough to be
    guessed from a digest of theirs. A file that names no patient is a group of its own.

    Parameters
    ----------
    root : pathlib.Path
        Folder that `files` are relative to.
    files, digests : sequence of str
        As in `trainer.images.ImageSet`.
    """
    keys = [_key(root / name) for name in files]
    known = {key for key in keys if key}
    if not known:
        return Patients(None, (NO_IDS,) if "" in keys else ())
    if len(known) == 1:
        return Patients(None, (ONE_ID,))
    contents: dict[str, set[str]] = {}
    for key, digest in zip(keys, digests, strict=True):
        if key:
            contents.setdefault(key, set()).add(digest)
    names = {key: _digest(found) for key, found in contents.items()}
    groups = tuple(
        names[key] if key else _digest({digest.partition("#")[0]})
        for key, digest in zip(keys, digests, strict=True)
    )
    unnamed = sum(not key for key in keys)
    notes = (USED_IDS, SOME_IDS.format(n=unnamed, total=len(files))) if unnamed else (USED_IDS,)
    return Patients(groups, notes)


def _key(item: Path) -> str | None:
    """What a patient's files have in common; empty for a DICOM file without, None for others."""
    path, _frame = split_item(item)
    try:
        with told():
            return patient_key(path) if kind_of(path) == "DICOM" else None
    except UnreadableError:
        return None


def _digest(contents: set[str]) -> str:
    return hashlib.sha256("\n".join(sorted(contents)).encode()).hexdigest()[:16]
