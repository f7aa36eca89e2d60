"""Images -> parts that nothing crosses, and what was noticed."""
