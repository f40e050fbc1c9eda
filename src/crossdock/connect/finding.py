"""What a rule of the conformance kit found wrong with a connector's folder."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to correct, or (`todo`) one that was left for later. `file` is below the connector's folder."""

    file: str
    problem: str
    field: str = ""
    remedy: str = ""
    """Empty: the rule's own."""
    todo: bool = False

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.field, self.problem) if part)
