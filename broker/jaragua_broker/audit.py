"""The log of a broker that has an access list: refusals in plain words, the rest of its debug messages left out (G4).

mosquitto 2.0 logs a refused publication among the debug messages, a line or two for each message; a refused reading not
at all. This copies its log from a pipe: debug messages are dropped, refusals are written in a form that says who.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_CHUNK_BYTES: Final = 1 << 16
_IDENTITIES_REMEMBERED: Final = 1 << 15
_JOIN_SECONDS: Final = 5.0
_CONNECTED: Final = re.compile(rb"^(\d+: )New client connected from (\S+) as (.+) \(p\d+, c\d, k\d+(?:, u'(.*)')?\)\.$")
_DENIED: Final = re.compile(rb"^(\d+: )Denied PUBLISH from (.+) \(d\d, q\d, r\d, m\d+, '(.*)', \.\.\. \(\d+ bytes\)\)$")
_SUBSCRIBED: Final = re.compile(rb"^(\d+: )(.+) [012] (\S+)$")
#: How the debug messages of mosquitto 2.0 begin, behind the time.
_DEBUG: Final = re.compile(
    rb"^\d+: (?:\t|Received |Sending |No will |Will message |Denied PUBLISH |PING|Bridge |\|-- )"
)
#: A pattern without a name in it is meant: it holds for everyone.
_EXPECTED: Final = b"does not contain '%c' or '%u'."

_SHARED: Final = "$share/"


class AccessRules:
    """What an `acl_file` lets each identity read."""

    def __init__(self, text: str) -> None:
        self._patterns: list[str] = []
        self._of_users: dict[str, list[str]] = {}
        user = ""
        for words in (line.split() for line in text.splitlines()):
            if len(words) == 2 and words[0] == "user":
                user = words[1]
            elif len(words) == 3 and words[1] in ("read", "readwrite"):
                (self._patterns if words[0] == "pattern" else self._of_users.setdefault(user, [])).append(words[2])

    def may_read(self, identity: str, topic_filter: str) -> bool:
        """Whether all that a filter, shared (MQTT 5.0, 4.8.2) or not, asks for may be read."""
        if topic_filter.startswith(_SHARED):
            topic_filter = topic_filter.split("/", 2)[-1]
        takes_patterns = not set("+#") & set(identity)  # mosquitto applies none to such a name
        own = [one.replace("%u", identity) for one in self._patterns if takes_patterns]
        return any(_covers(rule, topic_filter) for rule in [*own, *self._of_users.get(identity, ())])


def _covers(rule: str, topic_filter: str) -> bool:
    """Whether a filter of the list covers all topics of another (MQTT 5.0, 4.7)."""
    rules, asked = rule.split("/"), topic_filter.split("/")
    for place, part in enumerate(rules):
        if part == "#":
            return True
        if place >= len(asked) or asked[place] == "#" or part not in ("+", asked[place]):
            return False
    return len(rules) == len(asked)


class Auditor:
    """Turns lines of mosquitto's log into those that are kept."""

    def __init__(self, rules: AccessRules) -> None:
        self._rules = rules
        self._identities: dict[bytes, str] = {}
        """By client identifier."""

    def kept(self, line: bytes) -> bytes | None:
        """What is written for a line, None if nothing is."""
        if found := _CONNECTED.match(line):
            if len(self._identities) >= _IDENTITIES_REMEMBERED:
                self._identities.clear()
            self._identities[found[3]] = (found[4] or b"").decode(errors="replace")
            return line
        if found := _DENIED.match(line):
            return found[1] + f"refused: {self._who(found[2])} may not write ".encode() + found[3]
        if line.endswith(_EXPECTED):
            return None
        if (found := _SUBSCRIBED.match(line)) and found[2] in self._identities:
            topic_filter = found[3].decode(errors="replace")
            if self._rules.may_read(self._identities[found[2]], topic_filter):
                return None
            return found[1] + f"refused: {self._who(found[2])} may not read all of ".encode() + found[3]
        return None if _DEBUG.match(line) else line

    def _who(self, identifier: bytes) -> str:
        return self._identities.get(identifier) or "a client"


class AuditedLog:
    """A pipe for mosquitto's log, and the thread that copies from it to a file."""

    def __init__(self, log: Path, access_list: Path) -> None:
        self._auditor = Auditor(AccessRules(access_list.read_text(encoding="utf-8")))
        self._log = log.open("ab", buffering=0)
        self._log.truncate(0)
        read, write = os.pipe()
        self._source = os.fdopen(read, "rb", buffering=0)
        self.sink: BinaryIO = os.fdopen(write, "wb", buffering=0)
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def started(self) -> None:
        """mosquitto has the pipe now; it ends with it."""
        self.sink.close()

    def close(self) -> None:
        """After mosquitto has ended."""
        self.sink.close()
        self._thread.join(_JOIN_SECONDS)
        self._source.close()
        self._log.close()

    def _copy(self) -> None:
        for line in self._lines():
            kept = self._auditor.kept(line)
            if kept is not None:
                with contextlib.suppress(OSError):  # a full disk must not stop the broker, which waits for this pipe
                    self._log.write(kept + b"\n")

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        while chunk := self._source.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            yield rest
