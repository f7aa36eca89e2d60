"""Tests in a real browser of a real server."""
