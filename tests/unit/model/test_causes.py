"""Cases are opened for a cause of the table and in one of the ten classes; a landscape can say more, and never less."""

import ast
from collections.abc import Iterator

import pytest

from crossdock.errors import Rejected
from crossdock.model.causes import CAUSES, CLASSES, HOLD, CauseRule, merged
from crossdock.processes.order_check import CAUSES as OF_CHECKS
from style.tree import SOURCE, parsed

NOT_LITERAL = {
    "order_check.py", "order_trouble.py", "message.py", "receiving.py", "blocked.py",
}  # fmt: skip
"""Files in which the cause is a value: of a check, a hold's name, what a message lacks, what was received otherwise, what
a target refused.
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
        HOLD,
    }

    assert words <= set(CAUSES)


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
