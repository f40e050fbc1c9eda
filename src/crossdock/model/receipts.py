"""What a thread hears when a person, not the target, says that an effect was done."""

from typing import Any

import msgspec

from crossdock.errors import Rejected
from crossdock.model.money import Money
from crossdock.model.registry import EVENTS

_OBJECT = ("shipment", "receipt", "inspection", "adjustment")
"""Fields of receipts that name the effect's own object."""


def asked(kind: str, type_: str) -> tuple[str, ...]:
    """Fields of the receipt that only a person can know, besides the document."""
    return tuple(x for x in _required(type_) if x not in _known(kind, type_, "", ""))


def by_hand(kind: str, type_: str, object_: str, document: str, more: dict[str, Any]) -> msgspec.Struct:
    """The receipt of this type; money in `more` may be text (`EUR 12.00`). Raises `Rejected` naming what is missing."""
    given = {name: _money(value) if _is_money(type_, name) else value for name, value in more.items()}
    try:
        return msgspec.convert(_known(kind, type_, object_, document) | given, EVENTS[type_], strict=False)
    except msgspec.ValidationError as error:
        wanted = ", ".join(asked(kind, type_)) or "nothing more"
        raise Rejected("/receipt", f"{error}; besides the document it asks for: {wanted}") from None


def _known(kind: str, type_: str, object_: str, document: str) -> dict[str, Any]:
    known: dict[str, Any] = {name: object_ for name in _OBJECT if name in _required(type_)}
    names = {f.encode_name for f in msgspec.structs.fields(EVENTS[type_])}
    known |= {"document": document} if "document" in names else {}
    if kind == "transfer_issue.post":  # goods between own sites leave without a delivery
        known["delivery"] = ""
    return known


def _required(type_: str) -> list[str]:
    return [f.encode_name for f in msgspec.structs.fields(EVENTS[type_]) if f.required]


def _is_money(type_: str, name: str) -> bool:
    return any(f.encode_name == name and f.type is Money for f in msgspec.structs.fields(EVENTS[type_]))


def _money(value: Any) -> Any:
    currency, _, amount = value.partition(" ") if isinstance(value, str) else ("", "", "")
    return {"currency": currency, "amount": amount} if amount else value
