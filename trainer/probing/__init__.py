"""Measured trials of candidate configurations within a budget."""
