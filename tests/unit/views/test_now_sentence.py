"""The first sentence of the Now page: what needs a person first, then what is slow, then what simply flows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from crossdock.views.now_sentence import sentence
from crossdock.views.now_shape import Behind, Cases, Flow, Now, Target, Waiting
from crossdock.views.story_sentence import spoken

AT = datetime(2026, 11, 25, 14, 20, tzinfo=UTC)
CURRENT = Behind(0, None, False, 0)
SAP = Target("sap-1", "SAP", "ERP", None, "", True, True, 0, 0, 0, None, "")
ORDERS = Waiting("proof of delivery by UPS", "UPS", "order", "shipped", 7, AT - timedelta(hours=1), None)


def said(**more: Any) -> tuple[str, str]:
    """(tone, the sentence as it is read out)."""
    given = {
        "as_of": AT, "empty": False, "behind": CURRENT, "last_event_at": AT - timedelta(seconds=3), "targets": [SAP], "asked": [], "flows": [],
        "cases": [], "waiting": [ORDERS], "waiting_capped": False, "rates": [],
    }  # fmt: skip
    tone, pieces = sentence(Now(**given | more))
    return tone, spoken(pieces, AT)


def flow(age: timedelta, *, failing: bool = False) -> Flow:
    return Flow(
        "sap-1",
        "SAP",
        "goods_issue.post",
        "post the goods issue",
        1,
        False,
        AT - age,
        "order/x/1",
        "",
        None,
        failing,
    )


def test_nothing_is_stuck() -> None:
    """What is on its way, and how old the last event is."""
    assert said() == (
        "moving",
        "Nothing is stuck. 7 objects are on their way. Last event 14:19 UTC (3 s ago).",
    )


def test_a_failing_target_comes_first() -> None:
    """Since when, why, what waits for it; then the cases with their owners."""
    away = msgspec.structs.replace(
        SAP, failing_since=AT - timedelta(minutes=18), last_failure="SAP was not reached", waiting=3
    )
    tone, text = said(
        targets=[away],
        flows=[flow(timedelta(minutes=18), failing=True)],
        cases=[Cases("finance", 2, AT - timedelta(hours=2)), Cases("operations", 1, AT)],
    )

    assert tone == "blocked"
    assert text.startswith(
        "SAP has been failing since 14:02 UTC (18 min ago): SAP was not reached. 3 effects wait for it."
        " 3 cases need a person (finance 2, operations 1), the oldest since 12:20 UTC (2 h 0 min ago)."
    )


def test_the_hubs_own_fault_is_said() -> None:
    """Partitions without a worker, and accounts that no delivery process serves."""
    tone, text = said(behind=Behind(5, AT, False, 64), targets=[msgspec.structs.replace(SAP, owned=False)])

    assert tone == "blocked"
    assert text.startswith(
        "64 of 64 partitions have no worker: events are kept, not processed. No delivery process serves SAP."
    )


def test_what_is_late_is_no_alarm() -> None:
    """A target that answers, with an effect that waits for more than two minutes; a younger one is not worth a word."""
    assert said(flows=[flow(timedelta(minutes=1))])[0] == "moving"
    tone, text = said(flows=[flow(timedelta(minutes=5))])

    assert tone == "waiting"
    assert text.startswith(
        "SAP answers, but a request to post the goods issue waits since 14:15 UTC (5 min ago)."
    )


def test_an_empty_hub() -> None:
    """Before anything arrived."""
    assert said(empty=True, waiting=[], last_event_at=None) == (
        "done",
        "Nothing has arrived at this hub yet.",
    )
