"""CloudSSO's password policy as data, and passwords that satisfy every policy it can be set to.

Only staged rotations generate passwords here; by default CloudSSO generates them.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Sequence

from shared.model import Password, UserName

# CloudSSO: set-password-policy. MinPasswordLength goes up to 32 and the maximum is always 32, so 32 fits every policy.
LENGTH = 32
# All four classes are always required, and that cannot be changed. No list of allowed special characters is published;
# these four appear in official examples.
CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!$)?")

Sample = Callable[[Sequence[str], int], list[str]]
_SAMPLE: Sample = secrets.SystemRandom().sample  # the operating system's randomness


def generate(user: UserName, sample: Sample = _SAMPLE) -> Password:
    """Return a fresh password for `user` that any CloudSSO password policy accepts.

    32 different characters out of 66, drawn without replacement: that satisfies the strictest
    MinPasswordDifferentChars by construction, and is still one of 66!/34! (more than 2^180). Draws that miss a class
    or contain the user name (PasswordNotContainUsername) are drawn again; even a one-letter name lets one in four pass.
    """
    while True:
        candidate = "".join(sample("".join(CLASSES), LENGTH))
        if (
            all(set(characters) & set(candidate) for characters in CLASSES)
            and user.casefold() not in candidate.casefold()
        ):
            return Password(candidate)


def plausible(text: object) -> bool:
    """Tell whether an answer's `NewPassword` can be one: 8 to 256 printable characters, not blank at either end.

    Wide on purpose: the length and alphabet of generated passwords are not documented, and to refuse a real one is to
    lose it. The bounds only catch answers that are no passwords at all.
    """
    if not isinstance(text, str) or not text.isprintable() or text != text.strip():
        return False
    return 8 <= len(text) <= 256  # noqa: PLR2004 - the bounds are the docstring's
