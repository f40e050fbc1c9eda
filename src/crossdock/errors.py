"""The error tree. Each class says what its raiser knows and what the reader can do.

CrossdockError
├── Misconfigured    a setting or landscape file is wrong: names the setting
├── Unauthenticated  the sender did not prove who they are
├── Malformed        bytes that are not the promised syntax: names the place
├── Rejected         partner data is wrong: names the path
├── Unsupported      a kind of document we keep and show but do not understand yet
├── Conflict         somebody else changed it first
└── Fenced           this worker no longer owns what it wanted to write
"""


class CrossdockError(Exception):
    """The root: catch it at a process edge only."""


class Misconfigured(CrossdockError):
    """A setting or a landscape file is wrong."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting}: {reason}")
        self.setting = setting
        self.reason = reason


class Unauthenticated(CrossdockError):
    """The sender did not prove who they are; nothing of the body is kept."""


class Malformed(CrossdockError):
    """Bytes that are not the promised syntax; `at` names the place (offset, line or pointer)."""

    def __init__(self, reason: str, at: str = "") -> None:
        super().__init__(f"{reason} at {at}" if at else reason)
        self.reason = reason
        self.at = at


class Rejected(CrossdockError):
    """Partner data is wrong; `path` is a JSON Pointer (RFC 6901) into the partner's own document."""

    def __init__(self, path: str, reason: str, cause: str = "value") -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.cause = cause


class Unsupported(CrossdockError):
    """A kind of document we keep and show but do not understand."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"no mapping for {kind}")
        self.kind = kind


class Conflict(CrossdockError):
    """Somebody else changed it first; read again and decide anew."""


class Fenced(CrossdockError):
    """This worker's lease was taken over; its work is dropped, the new owner does it."""
