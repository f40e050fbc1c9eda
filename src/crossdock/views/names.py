"""What people call the systems of this landscape; compiled once, given to every view that speaks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossdock.views.words import system_names


@dataclass(frozen=True, slots=True)
class Names:
    """`roles` says what a system does for us: shop, ERP, warehouse, carrier, customer."""

    called: Mapping[str, str]
    roles: Mapping[str, str]
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    @property
    def systems(self) -> tuple[str, ...]:
        return tuple(self.roles)

    def of(self, name: str) -> str:
        """The name people use; an unknown one is left as it is, but for the key id behind an operator's name."""
        return self.called.get(name, name.partition("/")[0])

    def plain(self, text: str) -> str:
        """A text of the runtime with its system names as people say them."""
        return self._pattern.sub(lambda found: self.called[found[0]], text) if self._pattern else text


def compile_names(systems: Mapping[str, tuple[str, str]], roles: Mapping[str, str]) -> Names:
    """`systems`: name → (connector, title of its manifest)."""
    called = system_names(systems)
    for name, (connector, _) in systems.items():
        if [c for c, _ in systems.values()].count(connector) == 1:
            called.setdefault(connector, called[name])
    called["crossdock"] = "Crossdock"
    longest = sorted(called, key=len, reverse=True)
    pattern = re.compile(r"(?<![\w/.(-])(" + "|".join(map(re.escape, longest)) + r")(?![\w/-])")
    return Names(called, {name: roles.get(name, "") for name in systems}, pattern)
