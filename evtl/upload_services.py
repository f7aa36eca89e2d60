"""Use cases of who tries a trained model on an image that came over the network.

The image is opened in a process of its own (`evtl.upload_child`), bounded in memory, processor
time and what it may write, in a folder that is removed whatever happens. What the sender calls the
file is never asked for; what a decoder says of it is thrown away, because it may quote it.

Loading torch takes seconds: one process does so once, and each image gets a copy of that process,
which is made in milliseconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import BoundedSemaphore
from typing import Annotated

from pydantic import Field, ValidationError

from evidence.errors import EvtlError
from evidence.records import Record
from evtl.jobs.queue import Queue, not_found

#: Images that are opened at a time, each with its own network in memory, and that may wait.
AT_ONCE, MOST_WAITING = 2, 6
#: Seconds for an image; the first waits for torch.
LONGEST_S = 120
#: What the child reads and writes in its folder.
IMAGE, ANSWER = "image", "answer.json"
#: What the process has loaded of which the children are copies.
CHILD = "evtl.upload_child"
_CHILDREN = get_context("forkserver")
#: Where a kind of file says what it is, in which words.
BEGINNINGS = {
    "PNG": ((0, b"\x89PNG\r\n\x1a\n"),),
    "JPEG": ((0, b"\xff\xd8\xff"),),
    "BMP": ((0, b"BM"),),
    "TIFF": ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
    "WebP": ((8, b"WEBPVP8"),),
    "DICOM": ((128, b"DICM"),),
    "NIfTI": ((344, b"n+1\0"), (4, b"n+2\0"), (0, b"\x1f\x8b")),
}
Png = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$", description="PNG in base 64.")]
_working, _present = BoundedSemaphore(AT_ONCE), BoundedSemaphore(AT_ONCE + MOST_WAITING)


class UploadError(EvtlError):
    """What was sent cannot be read as an image."""


class TryingError(EvtlError):
    """A run cannot be tried."""


class CrowdedError(EvtlError):
    """Too many images are tried at this moment."""


class Tried(Record):
    """What a model says of an image.

    Attributes
    ----------
    predicted : str
        The most probable class; of several labels those given, joined by ``|``.
    probabilities : dict
        Of each class; empty where a number was learned.
    value : float or None
        The number, where one was learned.
    at_operating_point : str
        The class that is called at the run's threshold; empty where it has none.
    threshold : str
        What the run says of its threshold.
    image, heat_map : str
        What the network was given, and the same under the map that `caption` names: PNG in base 64.
    warnings : tuple of str
        Why the answer is to be doubted, as far as the image shows it.
    """

    predicted: str = ""
    probabilities: dict[str, float] = Field(default_factory=dict)
    value: float | None = None
    at_operating_point: str = ""
    threshold: str = ""
    caption: str = ""
    image: Png = ""
    heat_map: Png = ""
    warnings: tuple[str, ...] = ()


class Answer(Record):
    """What the child says: one of these."""

    tried: Tried | None = None
    unreadable: str = ""
    unusable: str = ""


def kind_of(content: bytes) -> str:
    """What a file is by what it holds, whatever it is called.

    Raises
    ------
    UploadError
        It is nothing that can be tried.
    """
    for kind, places in BEGINNINGS.items():
        if any(content[at : at + len(magic)] == magic for at, magic in places):
            return kind
    msg = f"this is no image of a kind that can be tried: {', '.join(BEGINNINGS)} are"
    raise UploadError(msg)


def trained_run(runs: Path, name: str) -> Path:
    """Folder of a run that finished.

    Raises
    ------
    RunNotFoundError
        There is none of this name.
    TryingError
        It did not finish.
    """
    job = Queue(runs).job(name)
    if job.run.is_symlink() or not job.run.is_dir():
        raise not_found(name)
    if job.result().get("status") != "finished":
        msg = f"{name} did not finish: only a model that was trained to the end can be tried"
        raise TryingError(msg)
    return job.run


def try_image(run: Path, content: bytes) -> Tried:
    """What a run's model says of an image, and where it looked.

    Parameters
    ----------
    run : pathlib.Path
        From `trained_run`.
    content : bytes
        Of the file. Nothing of it is kept.

    Raises
    ------
    UploadError
        It is no image, damaged, or too large when it is unpacked.
    TryingError
        The run did not finish, or cannot be used.
    CrowdedError
        Too many images wait already.
    """
    kind_of(content)
    with _turn(), TemporaryDirectory(prefix="evtl-") as folder:
        (Path(folder) / IMAGE).write_bytes(content)
        return _answered(Path(folder), run)


@contextmanager
def _turn() -> Iterator[None]:
    if not _present.acquire(blocking=False):
        msg = f"{AT_ONCE + MOST_WAITING} images are tried or wait already; try again in a moment"
        raise CrowdedError(msg)
    try:
        with _working:
            yield
    finally:
        _present.release()


def _answered(folder: Path, run: Path) -> Tried:
    prepare()
    child = _CHILDREN.Process(target=_open, args=(run, folder))
    child.start()
    child.join(LONGEST_S)
    child.kill()
    child.join()
    child.close()
    try:
        answer = Answer.model_validate_json((folder / ANSWER).read_bytes())
    except (OSError, ValidationError) as error:
        msg = "the image takes more memory or time to open than is given to it"
        raise UploadError(msg) from error
    if answer.unusable:
        raise TryingError(answer.unusable)
    if answer.tried is None:
        msg = f"the image cannot be read: {answer.unreadable}"
        raise UploadError(msg)
    return answer.tried


def prepare() -> None:
    """Begin to load what opening an image needs, while a person still chooses one."""
    _CHILDREN.set_forkserver_preload([CHILD])
    ensure_running()


def _open(run: Path, folder: Path) -> None:
    """Where the child begins."""
    # The server itself loads torch only where it reads folders.
    from evtl.upload_child import main  # noqa: PLC0415  (torch only here)

    main(run, folder)
