"""What happened to a case, as a message to a colleague who watches it."""

from datetime import UTC
from typing import Final

from crossdock.connectors.email.lines import one_line
from crossdock.model.requests import CaseChange, TellCase

ABOUT: Final = "case"
"""What the reference of such a message begins with."""
TITLE_LENGTH_MAX: Final = 120
_BY_SOMEBODY: Final = {
    "assign": "{who} gave it to somebody",
    "comment": "{who} wrote a comment",
    "retry": "{who} had it tried again",
    "resolve": "{who} closed it",
}
_BY_ITSELF: Final = {
    "closed": "It closed by itself: it blocks nothing any more",
    "opened again": "Its cause came again after an earlier case had been closed",
    "overdue": "It should have been settled by now",
}


def reference(payload: TellCase) -> str:
    """Names the case and the newest change."""
    newest = max(change.at for change in payload.changes)
    return f"{ABOUT}|C-{payload.case}|{newest.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def told(payload: TellCase, sender: str) -> tuple[str, str]:
    """Subject and text."""
    title = one_line(payload.title)[:TITLE_LENGTH_MAX]
    facts = [f"Cause: {one_line(payload.cause)}", f"It is {payload.state}."]
    if payload.link:
        facts.append(one_line(payload.link))
    paragraphs = [
        f"Case C-{payload.case}: {title}",
        "\n".join(_line(change) for change in payload.changes),
        "\n".join(facts),
        f"You watch this case, or it is yours.\n{sender}",
    ]
    return f"C-{payload.case}: {title}", "\n\n".join(paragraphs) + "\n"


def _line(change: CaseChange) -> str:
    who = one_line(change.who)
    said = _BY_ITSELF.get(change.action) or _BY_SOMEBODY.get(
        change.action, "{who}: " + one_line(change.action)
    )
    return f"{change.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC  {said.format(who=who)}."
