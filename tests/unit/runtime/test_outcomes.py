"""What a look-up leads to, and when."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from crossdock.connect.contract import Absent, Done, LookUp
from crossdock.connect.manifest import EffectTraits
from crossdock.runtime.lanes import Entry
from crossdock.runtime.outcomes import Judge
from crossdock.store.effects import State

TRAITS = EffectTraits(idempotency="look_up", timeout_seconds=20.0, search_lag_seconds=2.0)


def lost(deadline_in: float) -> Entry:
    """An effect whose first attempt was lost; its deadline is so many seconds away."""
    entry = Entry(
        uuid4(), 1, "goods_issue.post", "S-1", b"lane", 1, 2, State.OUTCOME_UNKNOWN, 1, "order/shop/1", 0
    )
    entry.deadline_at = datetime.now(UTC) + timedelta(seconds=deadline_in)
    return entry


@pytest.mark.parametrize(
    ("found", "deadline_in", "state"),
    [
        (Absent(), 10.0, State.OUTCOME_UNKNOWN), (Absent(), -1.0, State.OUTCOME_UNKNOWN), (Absent(), -3.0, State.RETRY),
        (Absent(half_done=True), 10.0, State.RETRY), (Done(document="D"), 10.0, State.DONE),
    ],
)  # fmt: skip
def test_absence_is_believed_late_and_what_is_begun_at_once(
    found: LookUp, deadline_in: float, state: State
) -> None:
    """Late is the attempt's deadline and the search lag; what can only be completed waits for neither."""
    assert Judge("sap", 1).looked_up(lost(deadline_in), found, TRAITS, datetime.now(UTC)).state is state
