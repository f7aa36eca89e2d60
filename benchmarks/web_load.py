"""How long visitors wait for a page of ``evtl serve`` while others ask too.

A real server and its clients share the machine. Each client keeps one connection and asks for one
page after the other; after each it waits for ``--think`` seconds, as someone does who reads. Kinds
of pages are measured in turn, several rounds, so that all see the same machine:

``bare``
    the sign-in page, behind which there is nothing: what server and clients themselves take;
``corpus``
    lists with facets, searches, pages of studies, the gap map, the forest, history;
``asked``
    recommendations that were asked for before, each of `MODALITIES` and sizes in turn;
``new``
    recommendations of which no two are the same, so that nothing is remembered.

Printed are median and 95th percentile of each kind, and the ratio of its median to that of
``bare`` in the same run.

Usage: python benchmarks/web_load.py [--processes 2] [--clients 20] [--think 0] [--requests 400]
[--rounds 3]
"""

import argparse
import asyncio
import itertools
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

MODALITIES = ("ultrasound", "xray", "mri", "ct", "fundus", "dermoscopy")
SIZES = (200, 800, 5000)
#: Seconds in which the clients come.
COMING_S = 1.0
WORDS = ("breast", "lung", "retina", "skin", "shin", "deep")


class Options(NamedTuple):
    """How much is asked: clients at once, seconds between two requests of one, requests, rounds."""

    processes: int
    clients: int
    think: float
    requests: int
    rounds: int


@contextmanager
def served(processes: int) -> Iterator[str]:
    """Address of a server with a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"EVTL_DATABASE_URL": f"sqlite:///{folder}/evtl.sqlite"}
        command = [
            sys.executable, "-m", "evtl", "serve", "--port", "0", "--runs", f"{folder}/runs",
            "--processes", str(processes),
        ]  # fmt: skip
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None  # noqa: S101  (asked for as a pipe)
                yield server.stdout.readline().split()[-1]
            finally:
                server.terminate()


def kinds(studies: list[str], seed: int) -> dict[str, Iterator[str]]:
    """Addresses of each kind of page, without end."""
    drawn = random.Random(seed)
    corpus = [
        "/studies", "/evidence", "/evidence/gaps", "/evidence/forest", "/evidence/disagreements",
        "/changes", "/evidence/reproduction", *(f"/studies?modality={m}" for m in MODALITIES),
        *(f"/studies?words={word}" for word in WORDS), *(f"/studies/{key}" for key in studies),
    ]  # fmt: skip
    asked = [f"/recommend?modality={m}&n={n}" for m in MODALITIES for n in SIZES]
    return {
        "bare": itertools.repeat("/sign-in"),
        "corpus": (drawn.choice(corpus) for _ in itertools.count()),
        "asked": (drawn.choice(asked) for _ in itertools.count()),
        "new": (
            f"/recommend?modality={drawn.choice(MODALITIES)}&n={n}"
            for n in itertools.count(10_000 + 1_000_000 * seed)
        ),
    }


async def measured(address: str, pages: Iterator[str], options: Options) -> list[float]:
    """Seconds that each request took, of all clients together."""
    each = options.requests // options.clients
    found = await asyncio.gather(
        *(client(address, pages, each, options.think, n) for n in range(options.clients))
    )
    return [seconds for times in found for seconds in times]


async def client(
    address: str, pages: Iterator[str], n_requests: int, think: float, number: int
) -> list[float]:
    """Seconds of each request of one client; clients do not begin at the same instant."""
    place, drawn, times = urlsplit(address), random.Random(number), []
    await asyncio.sleep(COMING_S * drawn.random())
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        for _ in range(n_requests):
            await asyncio.sleep(think * drawn.uniform(0.5, 1.5))
            times.append(await one(reader, writer, f"{place.hostname}", next(pages)))
    finally:
        writer.close()
    return times


async def one(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, page: str
) -> float:
    """Seconds from the request to the last byte of a page that must be there."""
    started = time.perf_counter()
    writer.write(f"GET {page} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(line for line in head.splitlines() if line.startswith("content-length:"))
    await reader.readexactly(int(length.split()[1]))
    if " 200 " not in head.splitlines()[0]:
        sys.exit(f"{page}: {head.splitlines()[0]}")
    return time.perf_counter() - started


def percentile(times: list[float], share: float) -> float:
    """The smallest time within which this share of the requests was answered."""
    return sorted(times)[max(0, round(share * len(times)) - 1)]


def study_keys() -> list[str]:
    """Keys of the studies of the shipped corpus."""
    lines = Path(__file__).parents[1].joinpath("data/publications.csv").read_text("utf-8")
    return [quote(line.partition(",")[0]) for line in lines.splitlines()[1:] if line[:1].isalpha()]


def main(options: Options) -> None:
    """Measure every kind in turn and print what visitors wait."""
    times: dict[str, list[float]] = {}
    studies = random.Random(0).sample(study_keys(), 40)
    with served(options.processes) as address:
        for number in range(options.rounds + 1):
            for kind, pages in kinds(studies, number).items():
                found = asyncio.run(measured(address, pages, options))
                if number:  # the first round warms up
                    times.setdefault(kind, []).extend(found)
    bare = statistics.median(times["bare"])
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"processes: {options.processes}, {options.clients} clients, "
        f"{options.think:g} s between requests, {options.rounds} rounds of {options.requests}\n"
    )
    for kind, found in times.items():
        median = statistics.median(found)
        sys.stdout.write(
            f"{kind:7} median {1000 * median:6.1f} ms  p95 {1000 * percentile(found, 0.95):6.1f} ms"
            f"  ratio to bare {median / bare:5.1f}\n"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--think", type=float, default=0.0)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    main(Options(**vars(parser.parse_args())))
