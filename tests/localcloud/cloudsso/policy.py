"""CloudSSO's password policy: what it asks of a password, and passwords that satisfy it.

Source: CloudSSO, "Set a password policy" and the GetPasswordPolicy page.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string

import msgspec

HISTORY = 24  # PasswordReusePrevention is 0 to 24
GENERATED_LENGTH = 32  # the length of the sample on the ResetUserPassword page
_SYMBOLS = "!$)?"  # no list is published; these occur in official examples
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _SYMBOLS)
_ROUNDS = 10  # a real service would take many; here the point is only that no plaintext is kept


class PasswordPolicy(msgspec.Struct, frozen=True, rename="pascal"):
    """The policy, with the console's defaults and the spelling of GetPasswordPolicy."""

    min_password_length: int = 8
    min_password_different_chars: int = 3  # the 2026 page; older pages say 4
    password_not_contain_username: bool = True
    max_password_age: int = 90  # days
    password_reuse_prevention: int = 1  # 0 is off
    max_login_attempts: int = 5  # 0 is off
    max_password_length: int = 32
    require_lower_case_chars: bool = True
    require_upper_case_chars: bool = True
    require_numbers: bool = True
    require_symbols: bool = True
    hard_expire: bool = True

    def complaint(self, password: str, user_name: str) -> str | None:
        """Return the first rule that a password breaks, or None; the history is asked elsewhere."""
        if not self.min_password_length <= len(password) <= self.max_password_length:
            return f"has not {self.min_password_length} to {self.max_password_length} characters"
        if not _every_class(password):
            return "lacks a lower case letter, an upper case letter, a digit or a special character"
        if len(set(password)) < self.min_password_different_chars:
            return f"has fewer than {self.min_password_different_chars} different characters"
        if self.password_not_contain_username and user_name.casefold() in password.casefold():
            return "contains the user name"
        return None

    def generate(self, user_name: str) -> str:
        """Return a new password of 32 characters.

        No character comes twice, so that every setting of MinPasswordDifferentChars is met.
        """
        while True:
            password = "".join(secrets.SystemRandom().sample("".join(_CLASSES), GENERATED_LENGTH))
            if self.complaint(password, user_name) is None:
                return password


class PasswordHash(msgspec.Struct, frozen=True):
    """What is kept of a password: enough to recognise it, not enough to read it."""

    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, password: str) -> PasswordHash:
        """Return a fresh salted hash of a password."""
        salt = secrets.token_bytes(16)
        return cls(salt, _digest(password, salt))

    def matches(self, password: str) -> bool:
        """Tell whether a password is the one that was hashed."""
        return hmac.compare_digest(self.digest, _digest(password, self.salt))


def _every_class(password: str) -> bool:
    """Tell whether all four classes occur; every printable ASCII character that is not alphanumeric is special.

    Undocumented: which special characters are allowed. Space is, because nothing forbids it.
    """
    if not (password.isascii() and password.isprintable()):
        return False
    tests = (str.islower, str.isupper, str.isdigit, lambda char: not char.isalnum())
    return all(any(test(char) for char in password) for test in tests)


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ROUNDS)
