"""Parties. All personal fields of the canonical model live here (UBL Party, GS1 partyIdentification)."""

from collections.abc import Mapping
from typing import ClassVar, Final

import msgspec

from crossdock.model.classes import DataClass


class Party(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person or company with an address. Country is ISO 3166-1 alpha-2."""

    data_class: ClassVar[DataClass] = "personal"

    name: str = ""
    company: str = ""
    lines: tuple[str, ...] = ()
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    email: str = ""
    phone: str = ""


class People(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The personal part of an event or effect; sealed under the subject's key before it is stored."""

    data_class: ClassVar[DataClass] = "personal"

    buyer: Party = Party()
    ship_to: Party = Party()
    colleague: Party = Party()
    """Whoever of ours is told about a case."""


NOBODY: Final = People()
ADDRESS: Final = ("name", "company", "lines", "city", "region", "postal_code", "country")
NEEDED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "sales_order.create": {"ship_to": (*ADDRESS, "phone")},
    "warehouse_order.release": {"ship_to": (*ADDRESS, "phone")},
    "label.create": {"ship_to": (*ADDRESS, "phone")},
    "load.tender": {"ship_to": (*ADDRESS, "phone")},
    "case.tell": {"colleague": ("email",)},
    "customer.notify": {"buyer": ("name", "email", "phone")},
}
"""Effect kind → party → the fields its target needs (GDPR Art. 5(1)(c), data minimisation). No other kind is told of anybody.

Carriers ask for a telephone number, so who hands goods to them is told it; an e-mail address goes to who writes mails.
"""


def told(kind: str, people: People) -> People:
    """What a connector that carries out an effect of this kind gets to see of people."""
    needed = NEEDED.get(kind, {})
    parties = {
        party: Party(**{name: getattr(getattr(people, party), name) for name in names})
        for party, names in needed.items()
    }
    return People(**parties)


class Place(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What routing may know of a destination: no street, no name."""

    data_class: ClassVar[DataClass] = "internal"

    country: str = ""
    region: str = ""
