"""What `prove dead` promises of a target that was dead for a while."""

import pytest

from crossdock.prove.dead import Proof

GOOD = {"kept": 0.97, "calls_per_effect": 1.02, "calls_per_second_max": 150, "passed": 0, "left": 0}


def judged(**found: float) -> list[str]:
    proof = Proof(seconds=60, **(GOOD | found))  # type: ignore[arg-type]
    proof.judge()
    return proof.flaws


@pytest.mark.parametrize(
    ("found", "flaw"),
    [
        ({"kept": 0.8}, "the other target lost 20%"), ({"calls_per_effect": 1.2}, "1.20 calls for each effect after its return"),
        ({"calls_per_second_max": 201}, "201 calls in one second"), ({"passed": 1}, "1 effects were overtaken"),
        ({"left": 2}, "2 effects never went"),
    ],
)  # fmt: skip
def test_each_broken_promise_is_named(found: dict[str, float], flaw: str) -> None:
    """And nothing else is."""
    assert judged() == []
    assert judged(**found) == [flaw]
