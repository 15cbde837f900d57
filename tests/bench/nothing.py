"""A function that does nothing: what the runtime itself costs."""


def handler(_event: bytes, _context: object) -> str:
    """Answer."""
    return "nothing"
