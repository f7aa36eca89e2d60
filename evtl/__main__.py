"""``python -m evtl``, for those who start processes of it: torchrun, accelerate launch."""

from evtl.cli import main

if __name__ == "__main__":
    main()
