"""Works out how sure advice would be in every cell of the gap map, and writes it out as JSON."""

import os
import sys

from evtl.gap_services import certain

#: How much this gives way to whoever answers questions meanwhile (nice).
HUMBLE = 10

if __name__ == "__main__":
    os.nice(HUMBLE)
    sys.stdout.write(certain().model_dump_json())
