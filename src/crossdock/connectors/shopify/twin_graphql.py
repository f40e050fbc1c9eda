"""Just enough GraphQL for a strict twin: parse an operation, call resolvers, cut answers to the selection."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_TOKEN: Final = re.compile(
    r'(?P<skip>[\s,]+|#[^\n]*)|(?P<token>[_A-Za-z]\w*|\$\w+|@\w+|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|[{}()\[\]:!=])'
)
Resolver = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]
"""Arguments and directives of a root field → its whole answer, of which the selection is cut out."""


class Problem(Exception):  # GraphQL's own word for it is error; it is an answer here
    """A GraphQL error, answered with HTTP 200."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code

    def answer(self) -> dict[str, Any]:
        return {"message": self.message, **({"extensions": {"code": self.code}} if self.code else {})}


@dataclass(frozen=True, slots=True)
class Variable:
    name: str


@dataclass(slots=True)
class Field:
    name: str
    alias: str
    arguments: dict[str, Any] = field(default_factory=dict)
    directives: dict[str, dict[str, Any]] = field(default_factory=dict)
    selection: list["Field"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    fields: list[Field]
    required: list[str]


class _Reader:
    """Recursive descent over the tokens of one document."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def operation(self) -> Operation:
        kind = self._take()
        if kind not in ("query", "mutation"):
            raise Problem(f"Parse error on {kind!r}")
        if self._peek() not in ("(", "{"):
            self._take()
        required = self._variables() if self._peek() == "(" else []
        return Operation(kind, self._selection(), required)

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise Problem(f"Parse error on {token!r}, expecting {expected!r}")
        self._at += 1
        return token

    def _variables(self) -> list[str]:
        """`($id: ID!, …)` → the names that must be given."""
        self._take("(")
        required = []
        while self._peek() != ")":
            name = self._take().removeprefix("$")
            self._take(":")
            while self._peek() not in (")", "") and not self._peek().startswith("$"):
                if self._take() == "!" and self._peek() != "]" and name not in required:
                    required.append(name)
        self._take(")")
        return required

    def _selection(self) -> list[Field]:
        self._take("{")
        fields = []
        while self._peek() != "}":
            fields.append(self._field())
        self._take("}")
        return fields

    def _field(self) -> Field:
        name = alias = self._take()
        if self._peek() == ":":
            self._take(":")
            name = self._take()
        made = Field(name, alias, self._arguments())
        while self._peek().startswith("@"):
            directive = self._take().removeprefix("@")
            made.directives[directive] = self._arguments()
        if self._peek() == "{":
            made.selection = self._selection()
        return made

    def _arguments(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self._peek() != "(":
            return given
        self._take("(")
        while self._peek() != ")":
            name = self._take()
            self._take(":")
            given[name] = self._value()
        self._take(")")
        return given

    def _value(self) -> Any:
        token = self._take()
        if token.startswith("$"):
            return Variable(token[1:])
        if token.startswith('"'):
            return token[1:-1].replace('\\"', '"')
        words = {"true": True, "false": False, "null": None}
        if token in words:
            return words[token]
        return int(token) if re.fullmatch(r"-?\d+", token) else token


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Problem(f"Parse error at {text[at]!r}")
        if found["token"]:
            yield found["token"]
        at = found.end()


def parse(text: str) -> Operation:
    return _Reader(text).operation()


def execute(
    operation: Operation, variables: Mapping[str, Any], resolvers: Mapping[str, Resolver]
) -> dict[str, Any]:
    """The `data` of an operation. Raises `Problem`."""
    for name in operation.required:
        if variables.get(name) is None:
            raise Problem(f"Variable ${name} was provided invalid value", "INVALID_VARIABLE")
    data = {}
    for asked in operation.fields:
        if asked.name not in resolvers:
            raise _undefined(asked.name, operation.kind.capitalize())
        directives = {name: _bound(given, variables) for name, given in asked.directives.items()}
        answer = resolvers[asked.name](_bound(asked.arguments, variables), directives)
        data[asked.alias] = _cut(answer, asked, variables)
    return data


def _bound(arguments: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    return {k: variables.get(v.name) if isinstance(v, Variable) else v for k, v in arguments.items()}


def _cut(value: Any, asked: Field, variables: Mapping[str, Any]) -> Any:
    if isinstance(value, Connection):
        value = value.page(**_bound(asked.arguments, variables))
    if isinstance(value, list):
        first = _bound(asked.arguments, variables).get("first", len(value))
        return [_cut(item, asked, variables) for item in value[:first]]
    if not isinstance(value, dict):
        return value
    if not asked.selection:
        raise Problem(f"Field '{asked.name}' must have selections", "selectionMismatch")
    for inner in asked.selection:
        if inner.name not in value:
            raise _undefined(inner.name, asked.name)
    return {inner.alias: _cut(value[inner.name], inner, variables) for inner in asked.selection}


def _undefined(name: str, parent: str) -> Problem:
    return Problem(f"Field '{name}' doesn't exist on type '{parent}'", "undefinedField")


@dataclass(frozen=True, slots=True)
class Connection:
    """A paged list; the cursor is the position."""

    items: list[Any]

    def page(self, first: int = 0, after: str | None = None, **_: Any) -> dict[str, Any]:
        if first < 1:
            raise Problem("you must provide one of first or last", "BAD_REQUEST")
        start = int(after) if after else 0
        end = min(start + first, len(self.items))
        info = {"hasNextPage": end < len(self.items), "endCursor": str(end)}
        return {"nodes": self.items[start:end], "pageInfo": info}
