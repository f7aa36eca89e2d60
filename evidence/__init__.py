"""The relational evidence store: what was published, where it stands, how sure we are."""
