"""Cold start of ``evtl recommend`` beside the bare imports it cannot do without.

Both run as whole processes in turn, so that both see the same machine; the figure is the ratio
of the medians of their wall times.

Usage: python benchmarks/cold_start.py [RUNS]
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

IMPORTS = [sys.executable, "-c", "import sqlalchemy.orm, typer, pydantic, numpy"]
RECOMMEND = [
    sys.executable, "-c", "from evtl.cli import main; main()",
    "recommend", "--modality", "ultrasound", "--n", "800",
]  # fmt: skip


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main(runs: int) -> None:
    """Measure in turn and print medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"EVTL_DATABASE_URL": f"sqlite:///{folder}/evtl.sqlite"}
        first = seconds(RECOMMEND, environment)
        pairs = [
            (seconds(RECOMMEND, environment), seconds(IMPORTS, environment)) for _ in range(runs)
        ]
    ours, bare = (statistics.median(times) for times in zip(*pairs, strict=True))
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{runs} runs in turn\n"
        f"first use (makes and fills the store)  {first:.3f} s\n"
        f"evtl recommend, median                 {ours:.3f} s\n"
        f"bare imports, median                   {bare:.3f} s\n"
        f"ratio                                  {ours / bare:.2f}\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
