"""Single pieces by their serial number (GS1 AI 21, X12 REF*SE, CBV `instance` identification): where each one is."""

from typing import ClassVar, Literal

import msgspec

from crossdock.model.classes import DataClass

Did = Literal["unpacked", "received", "found", "returned", "packed", "sent", "shipped", "gone"]
"""`sent` leaves for another site of ours, `shipped` for a customer; `found` and `gone` are what a count said."""


class SerialMoved(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What a movement says of one of its pieces. `thread` is what it moved with, `document` the receipt or number it was told by."""

    data_class: ClassVar[DataClass] = "commercial"

    item: str
    serial: str
    did: Did
    location: str
    thread: str
    document: str = ""
    sscc: str = ""
    order: str = ""
    """The reference of the order it went to, or comes back from."""
    lot: str = ""
