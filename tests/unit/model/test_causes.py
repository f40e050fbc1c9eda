"""Cases are opened for a cause of the table and in one of the ten classes; a landscape can say more, and never less."""

import ast
from collections.abc import Iterator

import pytest

from crossdock.connectors.sap_s4 import session
from crossdock.errors import Rejected
from crossdock.model.causes import CAUSES, CLASSES, HOLD, CauseRule, merged
from crossdock.model.envelope import Recorded
from crossdock.model.operations import EffectRefused
from crossdock.processes import blocked
from crossdock.processes.clocks import OF_ORDER, OF_SHIPMENT
from crossdock.processes.intents import OpenCase
from crossdock.processes.order_check import CAUSES as OF_CHECKS
from style.tree import SOURCE, parsed
from unit.processes.goods import NOW

NOT_LITERAL = {
    "order_check.py", "order_trouble.py", "message.py", "receiving.py", "blocked.py", "clocks.py",
}  # fmt: skip
"""Files in which the cause is a value: of a check, a hold's name, what a message lacks, what was received otherwise, what
a target refused, the clock that ran out.
"""


def opened() -> Iterator[tuple[str, str, ast.expr, ast.expr]]:
    """(file, where, class, cause) of everything in the code that opens a case."""
    for folder in ("processes", "runtime", "store", "api"):
        for path in sorted((SOURCE / folder).glob("*.py")):
            for node in ast.walk(parsed(path)):
                match node:
                    case ast.Call(
                        func=ast.Name(id="OpenCase") | ast.Attribute(attr="OpenCase"),
                        args=[_, problem, cause, *_],
                    ):
                        yield path.name, f"{path.name}:{node.lineno}", problem, cause
                    case ast.Call(
                        func=ast.Name(id="OpenCase") | ast.Attribute(attr="OpenCase"),
                        keywords=[_, *_] as given,
                    ):
                        named = {x.arg: x.value for x in given}
                        yield path.name, f"{path.name}:{node.lineno}", named["problem"], named["cause"]
                    case ast.Call(func=ast.Name(id="accept_case"), args=[ast.Constant() as cause, *_]):
                        yield path.name, f"{path.name}:{node.lineno}", ast.Constant("value"), cause


OPENED = list(opened())


def test_every_case_has_a_class_and_a_cause_that_exist() -> None:
    """What the code names is in the table; where the cause is a value, the file is known for it."""
    assert len(OPENED) > 30
    for file, where, problem, cause in OPENED:
        if isinstance(problem, ast.Constant):
            assert problem.value in CLASSES, where
        if isinstance(cause, ast.Constant):
            assert cause.value in CAUSES, where
        else:
            assert file in NOT_LITERAL, where


def test_causes_that_are_values_exist_too() -> None:
    """Of the ERP's checks, of what came back or was lost, of goods that came otherwise."""
    words = {
        *OF_CHECKS.values(),
        "returned",
        "lost",
        "over",
        "damaged",
        "unknown",
        "road",
        "variance",
        "address",
        *(f"{clock.name} overdue" for clock in (*OF_ORDER, *OF_SHIPMENT)),
        HOLD,
    }

    assert words <= set(CAUSES)


def test_what_connectors_call_a_refusal_exists() -> None:
    """Whatever they say of a refusal's business cause is in the table."""
    refused = [
        ("Posting period 010 2026 is not open for account type M", "period closed"),
        ("Posting only possible in periods 2026/01 and 2025/12", "period closed"),
        ("Credit limit of customer 17 exceeded", "credit"), ("No authorization for plant 1010", "authorisation"),
        ("Material X does not exist in plant 1010", "master data"), ("Enter a shipping point", ""),
    ]  # fmt: skip

    for reason, cause in refused:
        assert session._refused("M7/053", reason).cause == cause
        assert cause in {*CAUSES, ""}
    assert session._refused("X", "Forbidden", 403).cause == "authorisation"


def test_a_refusal_is_a_case_of_its_cause() -> None:
    """With that cause's owner and class; what the connector cannot tell stays a refusal."""
    for cause, owner, problem in (
        ("period closed", "finance", "value"), ("master data", "master data", "missing"), ("", "operations", "value"),
    ):  # fmt: skip
        data = EffectRefused("e", "warehouse_order.release", "wms-1", "1", "no", cause)
        event = Recorded(
            thread="order/x/1", type="effect.refused.v1", data=data, id="1", source="wms-1", occurred_at=NOW, recorded_at=NOW
        )  # fmt: skip
        [case] = blocked.intents(event)
        assert isinstance(case, OpenCase)
        assert (case.cause, case.owner, case.problem) == (cause or "refused by target", owner, problem)


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_says_what_to_do(name: str) -> None:
    """In a sentence, with somebody to do it and a time."""
    cause = CAUSES[name]

    assert cause.playbook.endswith(".")
    assert cause.title
    assert cause.owner
    assert cause.hours > 0


def test_a_landscape_says_it_otherwise() -> None:
    """What it does not say stays; a cause of its own needs all four."""
    made = merged(
        {"credit": CauseRule(owner="credit desk"), "fraud": CauseRule("Fraud", "Look at it.", "risk", 2)}
    )

    assert made["credit"].owner == "credit desk"
    assert made["credit"].playbook == CAUSES["credit"].playbook
    assert made["fraud"].hours == 2
    with pytest.raises(Rejected, match="of your own"):
        merged({"fraud": CauseRule(title="Fraud")})
