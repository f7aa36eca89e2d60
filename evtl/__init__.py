"""The front door of evtl: use cases and the command line."""
