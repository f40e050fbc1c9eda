"""What a carrier's status means: X12 element 1650 (AT7-01 of a 214), which OTM keeps as its status codes.

A code that is not listed moves nothing. Estimates have the milestone they estimate and the classifier EST.
"""

from typing import Final

from crossdock.model.shipment import Classifier, Milestone

Meaning = tuple[Milestone, Classifier, str]
UNKNOWN: Final[Meaning] = ("unknown", "ACT", "")

_ROWS: Final[tuple[tuple[str, Milestone, Classifier, str], ...]] = (
    # The carrier is at work, and the goods still stand where they were.
    ("XB AJ X3 X8 L1 CP", "created", "ACT", ""),
    ("AF", "picked_up", "ACT", ""),
    ("X6 P1 R1 K2", "in_transit", "ACT", ""),
    ("J1", "in_transit", "ACT", "handed to a connecting carrier"),
    ("X1 X4 X5 X9 AV", "arrived", "ACT", ""),
    ("X2", "arrived", "EST", ""),
    ("OA", "out_for_delivery", "ACT", ""),
    ("AW", "available_for_pickup", "ACT", ""),
    ("D1", "delivered", "ACT", ""),
    ("AG", "delivered", "EST", ""),
    ("A7", "attempt_failed", "ACT", "refused"),
    ("AH", "attempt_failed", "ACT", "attempted"),
    ("AP", "attempt_failed", "ACT", "not completed"),
    ("SD", "delayed", "ACT", ""),
    ("SN PU", "delayed", "ACT", "not picked up"),
    ("BC", "on_hold", "ACT", "in storage"),
    ("K1 PR", "on_hold", "ACT", "customs"),
    ("A9", "exception", "ACT", "damaged"),
    ("AI", "exception", "ACT", "sent to another address"),
    ("A3", "returned", "ACT", ""),
    ("CA", "cancelled", "ACT", ""),
)

MEANING: Final[dict[str, Meaning]] = {
    code: (milestone, classifier, reason)
    for codes, milestone, classifier, reason in _ROWS
    for code in codes.split()
}
assert len(MEANING) == sum(len(codes.split()) for codes, *_ in _ROWS), "a status code stands in two rows"


def meaning(code: str) -> Meaning:
    """Milestone, classifier and reason of a status code; `unknown` for every code that is not listed."""
    return MEANING.get(code, UNKNOWN)
