"""Task profile and published arms -> a recommendation that shows its evidence and its doubt."""
