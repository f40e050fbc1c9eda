"""A sender's missing messages: one case while any is missing, another when it begins to count anew."""

from datetime import UTC, datetime

from crossdock.model.envelope import Recorded
from crossdock.model.operations import NumberRun, NumbersCompared
from crossdock.processes import gap
from crossdock.processes.intents import CloseCase, Intent, OpenCase
from crossdock.processes.policy import Policy

AT = datetime(2026, 1, 13, 7, 30, tzinfo=UTC)
THREAD = "gap/wms-1/SITE1"


def told(*words: NumbersCompared, source: str = "crossdock") -> tuple[gap.State, list[Intent]]:
    state, intents = gap.initial(THREAD), []
    for number, data in enumerate(words):
        event = Recorded(
            thread=THREAD, type="numbers.compared.v1", data=data, id=f"e-{number}", source=source, occurred_at=AT, recorded_at=AT,
        )  # fmt: skip
        step = gap.step(state, event, Policy())
        state = step.state
        intents += step.intents
    return state, intents


def missing(count: int, *runs: tuple[int, int], anew_at: datetime | None = None) -> NumbersCompared:
    anew = (5003, 1, 2) if anew_at else ()
    return NumbersCompared("wms-1", "SITE1", count, tuple(NumberRun(*x) for x in runs), anew, anew_at)


def test_more_and_fewer_are_one_case_until_none_is_missing() -> None:
    """It names the numbers that were missing when it was opened."""
    state, intents = told(missing(4, (41, 41), (45, 47)), missing(5), missing(1), missing(0))

    opened, closed = intents
    assert isinstance(opened, OpenCase)
    assert (opened.cause, opened.fingerprint, opened.key) == ("messages missing", "gap/wms-1", "missing")
    assert "41, 45 to 47" in opened.detail
    assert closed == CloseCase("missing", "what was missing came")
    assert gap.summary(state, Policy()).done


def test_a_new_beginning_is_a_case_of_its_own() -> None:
    """It ends the one about what was missing, and stays for a person; told again it is no second one."""
    _, intents = told(missing(2, (5001, 5002)), missing(0, anew_at=AT), missing(3, (2, 4), anew_at=AT))

    assert [type(x) for x in intents] == [OpenCase, CloseCase, OpenCase, OpenCase]
    anew = intents[2]
    assert isinstance(anew, OpenCase)
    assert anew.key == "anew"
    assert "stood at 5003 and went on at 1. 2 of the old numbers" in anew.detail


def test_nobody_else_says_what_is_missing() -> None:
    """Whoever sends such an event is not the hub."""
    assert told(missing(4), source="wms-1") == (gap.State(), [])
