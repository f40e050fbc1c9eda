"""A story in plain text, for a terminal: pure, from the API's JSON to lines. Times are UTC with their age."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

MARKS: Final = {
    "actual": "●", "estimated": "◌", "planned": "○", "missing": "◍", "open": "·", "unreported": "-",
}  # fmt: skip
STANDING: Final = {"blocked": "■", "waiting": "◆"}
"""The milestone everybody looks at, when nobody said when it comes."""
TONES: Final = {"blocked": "■", "waiting": "◆", "moving": "▶", "done": "✓"}
_ENTRY_TONES: Final = {"bad": "■", "unsure": "◆"}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def clock(text: str | None, now: datetime) -> str:
    from crossdock.views.story_sentence import clock as told

    return told(instant(text), now) if text else ""


def age(text: str | None, now: datetime) -> str:
    from crossdock.views.story_sentence import ago

    return ago(instant(text), now) if text else ""


def opening(story: dict[str, Any]) -> Iterator[str]:
    """What it is, and the sentence that can be read out on the phone."""
    head = story["headline"]
    amount = head["amount"]
    worth = f"{amount['currency']} {amount['amount']}" if amount else ""
    yield " · ".join(x for x in (head["title"], *head["facts"], worth) if x)
    yield f"{TONES.get(story['tone'], ' ')} {story['sentence']}"


def milestones(story: dict[str, Any]) -> Iterator[str]:
    now, found = instant(story["as_of"]), story["milestones"]
    width = max((len(x["label"]) for x in found), default=0)
    for x in found:
        mark = MARKS.get(x["classifier"], "?")
        if x["classifier"] == "open" and x["standing"]:
            mark = STANDING[x["standing"]]
        note = f" ({x['note']})" if x["note"] else ""
        yield f"  {mark} {x['label']:{width}}  {_when(x, now)}{note}".rstrip()


def _when(milestone: dict[str, Any], now: datetime) -> str:
    """A fact is only a time; what is not one says what it is."""
    at = clock(milestone["at"], now)
    standing = milestone["standing"]
    match milestone["classifier"]:
        case "actual":
            return at
        case "estimated" | "planned" as guess:
            said = f"{guess} for {at}"
        case "missing":
            said = f"overdue, was due {at}"
        case "unreported":
            return "passed, nobody reported it"
        case _:
            return f"{standing} since {at}" if standing and at else standing
    return f"{standing}, {said}" if standing else said


def gates(story: dict[str, Any]) -> Iterator[str]:
    """Steps that are due and wait: for what, from whom, since when."""
    now = instant(story["as_of"])
    for x in story["waiting"]:
        since = f" since {clock(x['since'], now)}" if x["since"] else ""
        yield f"  ◆ {x['text']}{since}"


def systems(story: dict[str, Any]) -> Iterator[str]:
    """Per system: in step or not, what it acknowledged last, under which number, how long ago."""
    now = instant(story["as_of"])
    rows = [
        (x["called"] + (f" ({x['role']})" if x["role"] else ""), x["standing"], _acknowledged(x, now), x)
        for x in story["systems"]
    ]
    name = max((len(row[0]) for row in rows), default=0)
    standing = max((len(row[1]) for row in rows), default=0)
    for called, stands, said, x in rows:
        yield f"  {called:{name}}  {stands:{standing}}  {said}"
        if x["trouble"]:
            yield f"  {'':{name}}  {'':{standing}}  → {x['trouble']}"
        if x["failing_since"]:
            yield f"  {'':{name}}  {'':{standing}}  ■ failing since {clock(x['failing_since'], now)}"


def _acknowledged(row: dict[str, Any], now: datetime) -> str:
    said: str = row["acknowledged"] or "nothing acknowledged yet"
    if row["document"] and row["document"] not in said:
        said += f" [{row['document']}]"
    return f"{said}, {age(row['at'], now)}" if row["at"] else said


def connections(story: dict[str, Any]) -> Iterator[str]:
    """Linked objects and open cases."""
    now = instant(story["as_of"])
    for x in story["linked"]:
        yield f"  {standing(x, now)}"
    for x in story["cases"]:
        yield f"  ■ case C-{x['number']}, {x['owner']}: {x['title']} ({age(x['opened_at'], now)})"


def standing(link: dict[str, Any], now: datetime) -> str:
    """An object in one line: what it is, where it stands, what it waits on since when."""
    waits = f", waiting on {link['waiting_on']}" if link["waiting_on"] and not link["done"] else ""
    since = f" since {clock(link['waiting_since'], now)}" if waits and link["waiting_since"] else ""
    return f"{link['title']} ({link['thread']}): {link['phase']}{waits}{since}"


def happening(entry: dict[str, Any]) -> str:
    """One thing that happened, with the time we knew of it."""
    at = instant(entry["at"])
    mark = _ENTRY_TONES.get(entry["tone"], " ")
    attempt = f" (attempt {entry['attempt']})" if entry["attempt"] > 1 else ""
    late = f" (happened {_day(instant(entry['occurred_at']), at)})" if entry.get("occurred_at") else ""
    where = f"   [{entry['thread']}]" if entry["thread"] else ""
    return f"  {_day(at, at)} {mark} {entry['text']}{attempt}{late}{where}"


def _day(at: datetime, beside: datetime) -> str:
    return f"{at:%a %d %b %H:%M:%S}" if at.year == beside.year else f"{at:%d %b %Y %H:%M:%S}"


def whole(story: dict[str, Any], happenings: list[dict[str, Any]]) -> Iterator[str]:
    """The story, sentence first; what happened comes last, its newest at the bottom."""
    yield from opening(story)
    parts = (
        ("", milestones(story)),
        ("Waiting", gates(story)),
        ("In each system, last acknowledged", systems(story)),
        ("Linked", connections(story)),
        ("What happened, UTC, newest last", (happening(x) for x in happenings)),
    )
    for title, lines in parts:
        found = list(lines)
        if found:
            yield ""
            if title:
                yield title
            yield from found
