"""A worker: ``python -m evtl.jobs RUNS RUN`` carries out one job and ends."""

import sys
from pathlib import Path

from evtl.jobs.queue import Queue
from evtl.jobs.worker import work

if __name__ == "__main__":
    runs, run = sys.argv[1:]
    sys.exit(work(Queue(Path(runs)).job(run)))
