"""A function that says what it was told, and raises when it is told to: for the trials of Function Compute."""

from __future__ import annotations


def handler(event: bytes, _context: object) -> bytes:
    """Answer the event."""
    if event == b"fail":
        message = "asked to fail"
        raise ValueError(message)
    return event
