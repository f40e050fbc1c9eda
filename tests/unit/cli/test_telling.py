"""A story as text: facts, guesses and gaps are told apart, and trouble stands under the system it is with."""

from typing import Any

import pytest

from crossdock.cli import telling

NOW = "2026-11-24T14:20:00Z"
THEN = "2026-11-24T14:02:00+00:00"
LATER = "2026-11-25T12:00:00Z"


def milestone(classifier: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "x",
        "label": "goods issue",
        "classifier": classifier,
        "at": None,
        "standing": "",
        "note": "",
    } | more


def story(**more: Any) -> dict[str, Any]:
    return {
        "headline": {"title": "Order #1042", "facts": ["3 lines", "to NL"], "amount": {"amount": "1240.00", "currency": "EUR"}},
        "tone": "blocked", "sentence": "Waiting on SAP.", "as_of": NOW, "waiting": [], "milestones": [], "systems": [], "linked": [], "cases": [],
    } | more  # fmt: skip


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (milestone("actual", at=THEN, note="2 of 3"), "● goods issue  14:02 UTC (18 min ago) (2 of 3)"),
        (milestone("estimated", at=LATER), "◌ goods issue  estimated for Wed 25 Nov 12:00 UTC (in 21 h)"),
        (milestone("planned", at=LATER, standing="waiting"), "○ goods issue  waiting, planned for Wed 25 Nov 12:00 UTC (in 21 h)"),
        (milestone("missing", at=THEN, standing="blocked"), "◍ goods issue  blocked, overdue, was due 14:02 UTC (18 min ago)"),
        (milestone("open", at=THEN, standing="blocked"), "■ goods issue  blocked since 14:02 UTC (18 min ago)"),
        (milestone("open", standing="waiting"), "◆ goods issue  waiting"),
        (milestone("open"), "· goods issue"),
        (milestone("unreported"), "- goods issue  passed, nobody reported it"),
    ],
)  # fmt: skip
def test_a_milestone_wears_the_mark_of_what_is_known(given: dict[str, Any], told: str) -> None:
    """A guess never looks like a fact, and no news never like nothing."""
    [line] = telling.milestones(story(milestones=[given]))

    assert line.strip() == told


def test_a_system_says_what_it_acknowledged_and_what_ails_it() -> None:
    """Document and age of the last word; the refusal and the outage on lines of their own."""
    row = {
        "called": "SAP", "role": "ERP", "acknowledged": "SAP created the order", "document": "0000012345", "at": THEN,
        "standing": "refused", "trouble": "post the goods issue: period closed", "failing_since": THEN,
    }  # fmt: skip
    first, trouble, failing = telling.systems(story(systems=[row]))

    assert first == "  SAP (ERP)  refused  SAP created the order [0000012345], 18 min ago"
    assert trouble.strip() == "→ post the goods issue: period closed"
    assert failing.strip() == "■ failing since 14:02 UTC (18 min ago)"


def test_the_sentence_comes_first_and_the_newest_last() -> None:
    """Parts that are empty have no title."""
    entries = [
        {"at": THEN, "text": text, "tone": tone, "attempt": attempt, "occurred_at": at, "thread": thread}
        for text, tone, attempt, at, thread in (
            ("placed", "", 0, "2007-01-10T16:00:00Z", ""),
            ("refused", "bad", 3, None, "shipment/w/S-1"),
        )
    ]
    lines = list(telling.whole(story(), entries))

    assert lines[:2] == ["Order #1042 · 3 lines · to NL · EUR 1240.00", "■ Waiting on SAP."]
    assert lines[2:4] == ["", "What happened, UTC, newest last"]
    assert lines[4] == "  Tue 24 Nov 14:02:00   placed (happened 10 Jan 2007 16:00:00)"
    assert lines[5] == "  Tue 24 Nov 14:02:00 ■ refused (attempt 3)   [shipment/w/S-1]"


def test_links_and_cases_stand_together() -> None:
    """What is done waits on nothing any more."""
    link = {"title": "Shipment S-1", "thread": "shipment/w/S-1", "phase": "departed", "waiting_on": "a scan", "waiting_since": THEN, "done": False}  # fmt: skip
    case = {"number": 31, "owner": "finance", "title": "Period closed", "opened_at": THEN}
    waits, done, told = telling.connections(story(linked=[link, link | {"done": True}], cases=[case]))

    assert (
        waits == "  Shipment S-1 (shipment/w/S-1): departed, waiting on a scan since 14:02 UTC (18 min ago)"
    )
    assert done == "  Shipment S-1 (shipment/w/S-1): departed"
    assert told == "  ■ case C-31, finance: Period closed (18 min ago)"
