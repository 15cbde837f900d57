"""Marked passwords, and what a search for them has found where."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from shared.model import Password, UserName
from tests.evidence.plugin import Evidence
from tests.localcloud.ram.service import Credentials
from tests.wire.endings import ECHO
from tests.wire.heard import CHANNELS, Heard
from tests.wire.leaks import ENCODINGS, SHAPES, Scanner

_GOLDEN = 0x9E37_79B9_7F4A_7C15  # consecutive numbers become texts that have nothing in common


class Mint:
    """Makes every password of a run, each once, and knows them all."""

    def __init__(self) -> None:
        self.made = {ECHO}  # what a service quotes counts as well
        self._numbers = itertools.count(0x5EED)

    def generated(self, _user: str) -> str:
        """Make one as CloudSSO might, with every character that some encoding changes."""
        return self._make('"\\/+&%=<é')

    def staged(self, _user: UserName) -> Password:
        """Make one that every password policy takes."""
        return Password(self._make('"\\/+&%=<'))

    def _make(self, special: str) -> str:
        text = f"Mk{next(self._numbers) * _GOLDEN % (1 << 64):016x}"
        made = f"{text[:9]}{special}{text[9:]}"
        self.made.add(made)
        return made


class Findings:
    """What was looked at, and which secrets were where none may be."""

    def __init__(self, mint: Mint) -> None:
        self.looked: Counter[str] = Counter()  # scenarios, by their kind
        self.leaks: list[str] = []
        self._mint = mint
        self._everything = Scanner()
        self._keys = Scanner()

    def know(self, credentials: Credentials) -> None:
        """Look for these too, from now on and for ever: an invocation may tell of the one before it."""
        keys = {credentials.access_key_secret, credentials.security_token or credentials.access_key_secret}
        self._keys.add(keys)
        self._everything.add(keys)

    def count(self, kind: str) -> None:
        """Count one scenario of a kind: what was heard of it was searched when it was heard."""
        self.looked[kind] += 1

    def search(self, name: str, heard: Heard) -> Heard:
        """Search what was heard of an invocation, and return it."""
        self._everything.add(self._mint.made)
        self._search(name, heard.said.items(), self._everything)
        # A password may be in a body, as one parameter of one action; a key may not be in any.
        bodies = [("bodies", sent.body.decode("latin-1")) for sent in heard.sent]
        self._search(name, bodies, self._keys)
        return heard

    def text(self, evidence: Evidence) -> str:
        """Return what this amounts to, as a section of the evidence."""
        assert len(self._everything) > 2 * sum(self.looked.values())  # a key and a token each, and passwords
        table = evidence.table(["What happens", "Scenarios"], self.looked.items())
        forms = f"{len(SHAPES)} shapes of a secret in {len(ENCODINGS)} encodings each"
        total = f"{sum(self.looked.values())} scenarios, {len(CHANNELS)} channels"
        return f"{table}\n\n{total}, {forms}: **{len(self.leaks)} found**."

    def _search(self, name: str, texts: Iterable[tuple[str, str]], scanner: Scanner) -> None:
        self.leaks += [
            f"{name}: {len(found)} in {channel}" for channel, text in texts if (found := scanner.found(text))
        ]
