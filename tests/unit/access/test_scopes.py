"""Every scope that an endpoint asks for is one that a token can have."""

import ast

from crossdock.access.tokens import SCOPES
from style.tree import SOURCE, code, parsed


def test_what_is_asked_for_can_be_given() -> None:
    """`identify(request, scope)` names scopes of the list, and each of the list is asked for somewhere."""
    asked = {
        constant.value
        for path in code()
        if path.is_relative_to(SOURCE / "api")
        for call in ast.walk(parsed(path))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "identify"
        for constant in ast.walk(call.args[1])
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }

    assert asked == set(SCOPES)
