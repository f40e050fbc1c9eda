"""OData V2 `$batch` with one change set: several changes that SAP applies together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy

import msgspec

from crossdock.connect.transport import Answer

_BATCH = "batch_crossdock"
_CHANGES = "changeset_crossdock"
CONTENT_TYPE = f"multipart/mixed; boundary={_BATCH}"


@dataclass(frozen=True, slots=True)
class Change:
    """A PATCH of what was read under an ETag; without one, a POST of something new."""

    path: str
    if_match: str
    fields: dict[str, str]


def encode(changes: Sequence[Change]) -> bytes:
    lines: list[bytes] = [
        f"--{_BATCH}\r\nContent-Type: multipart/mixed; boundary={_CHANGES}\r\n\r\n".encode()
    ]
    for number, change in enumerate(changes, start=1):
        body = msgspec.json.encode(change.fields)
        method, guard = ("PATCH", f"If-Match: {change.if_match}\r\n") if change.if_match else ("POST", "")
        head = (
            f"--{_CHANGES}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: {number}\r\n\r\n{method} {change.path} HTTP/1.1\r\nContent-Type: application/json\r\n"
            f"Accept: application/json\r\n{guard}Content-Length: {len(body)}\r\n\r\n"
        )
        lines += [head.encode(), body, b"\r\n"]
    lines.append(f"--{_CHANGES}--\r\n--{_BATCH}--\r\n".encode())
    return b"".join(lines)


def worst_answer(batch: Answer) -> Answer | None:
    """The first inner answer that is no success, else the first; None where there is none to be read."""
    head = f"Content-Type: {batch.headers.get('content-type', '')}\r\n\r\n".encode()
    parts = message_from_bytes(head + batch.body, policy=policy.HTTP).walk()
    inner = [
        _answer(part.get_payload(decode=True))
        for part in parts
        if part.get_content_type() == "application/http"
    ]
    answers = [answer for answer in inner if answer is not None]
    return next((answer for answer in answers if answer.status >= 300), answers[0] if answers else None)


def _answer(part: object) -> Answer | None:
    if not isinstance(part, bytes):
        return None
    head, _, body = part.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    words = status.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        return None
    pairs = (line.partition(":") for line in fields)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answer(status=int(words[1]), headers=headers, body=body.strip())
