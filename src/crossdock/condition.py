"""Conditions over events in CEL (Common Expression Language): compiled once; what cannot be evaluated does not match.

A condition sees `id`, `source`, `type` (without prefix), `subject`, `time` and `data`; decimals in `data` are strings.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from crossdock.errors import Misconfigured

LENGTH_MAX: Final = 1000
NAMES: Final = frozenset({"id", "source", "type", "subject", "time", "data"})
FUNCTIONS: Final = frozenset({
    "bool", "bytes", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek",
    "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "int", "matches",
    "max", "min", "size", "startsWith", "string", "timestamp", "uint",
})  # fmt: skip
_BOUND: Final = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*(\w+)\s*,")
_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
_FAILED: Final = (LookupError, RuntimeError, TypeError, ValueError, ArithmeticError)
"""What an evaluation may raise: a field that is not there, a value of another type."""
Condition = Callable[[Mapping[str, Any]], bool]


def compile_condition(text: str, place: str) -> Condition:
    """Raises `Misconfigured` at `place`, with the position and what is wrong there."""
    if len(text) > LENGTH_MAX:
        raise Misconfigured(place, f"longer than {LENGTH_MAX} characters")
    import cel  # brings a command line with it: a quarter of a process's start where nobody wrote a condition

    try:
        program = cel.compile(text)
    except ValueError as error:
        raise Misconfigured(place, _where(str(error))) from None
    unknown = sorted(set(program.variables()) - NAMES - set(_BOUND.findall(text)))
    if unknown:
        at = text.index(unknown[0]) + 1
        raise Misconfigured(
            place, f"column {at}: there is no {unknown[0]}; an event has {', '.join(sorted(NAMES))}"
        )
    strange = sorted(
        name
        for name in program.functions()
        if name.isidentifier() and name[0] != "_" and name not in FUNCTIONS
    )
    if strange:
        raise Misconfigured(place, f"column {text.index(strange[0]) + 1}: there is no function {strange[0]}")

    def matches(event: Mapping[str, Any]) -> bool:
        try:
            return program.execute(dict(event)) is True
        except _FAILED:
            return False

    return matches


def _where(message: str) -> str:
    found = _PLACE.search(message)
    if found is None:
        return message.partition("\n")[0][:300]
    line, column, what = found.groups()
    return f"{'line ' + line + ', ' if line != '1' else ''}column {column}: {what[:200]}"
