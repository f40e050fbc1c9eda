"""Parties. All personal fields of the canonical model live here (UBL Party, GS1 partyIdentification)."""

from typing import ClassVar

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


class Place(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What routing may know of a destination: no street, no name."""

    data_class: ClassVar[DataClass] = "internal"

    country: str = ""
    region: str = ""
