"""The process in which an uploaded image is opened.

The run is ours and loaded first; then the process gives up what opening one image does not need,
and only then is the image read. The image and the answer lie in a folder that is thrown away.
"""

import os
import resource
import sys
import time
from base64 import b64encode
from pathlib import Path

from evidence.errors import EvtlError
from evidence.sqlite_child import bound
from evtl.upload_services import ANSWER, IMAGE, Answer, Tried
from trainer.applying.trained import load_model
from trainer.features import choose_device
from trainer.reporting.explained import Seen, see

#: Bytes beyond what the loaded model takes: an image of 100 million pixels fits, not a bomb.
MEMORY_BYTES = 2 * 2**30
#: Seconds of the processor, on all cores together.
CPU_S = 60
#: Bytes of a file: the answer, with two small pictures.
FILE_BYTES = 20_000_000


def main(run: Path, folder: Path) -> None:
    """Write the answer into the folder."""
    bound(resource.RLIMIT_CORE, 0)  # there may be a patient in it
    silence()
    answer = _answer(run, folder / IMAGE)
    (folder / ANSWER).write_text(answer.model_dump_json(), encoding="utf-8")


def _answer(run: Path, image: Path) -> Answer:
    device = choose_device("cpu")  # a training may have all of the GPU's memory
    try:
        model = load_model(run).to(device)
    except EvtlError as error:
        return Answer(unusable=str(error))
    confine()
    try:
        found = see(model, image, device)
    except MemoryError:
        return Answer(unreadable="too large for the memory")
    except EvtlError as error:
        return Answer(unreadable=str(error))
    point = model.result.operating_point
    return Answer(tried=_tried(found, point.statement if point else ""))


def silence() -> None:
    """Have nothing that a decoder prints, which may quote the image, get into a log."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def confine() -> None:
    """Give up, for good, what opening one image does not need."""
    bound(resource.RLIMIT_CPU, int(time.process_time()) + CPU_S)
    bound(resource.RLIMIT_FSIZE, FILE_BYTES)
    if sys.platform == "linux":
        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        bound(resource.RLIMIT_AS, taken * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES)


def _tried(found: Seen, threshold: str) -> Tried:
    said = found.prediction.model_dump(
        include={"predicted", "probabilities", "value", "at_operating_point"}
    )
    return Tried(
        **said,
        threshold=threshold,
        warnings=found.doubts,
        caption=found.caption,
        image=b64encode(found.image).decode(),
        heat_map=b64encode(found.overlay).decode(),
    )
