"""Every field that crosses a wire has a data class, and personal ones stand where sealing reaches them."""

from typing import Any, get_args

import msgspec
import pytest

from crossdock.model.classes import DataClass
from crossdock.model.party import Party, People
from crossdock.model.registry import EFFECTS, EVENTS

ROOTS: dict[str, type[msgspec.Struct]] = EVENTS | EFFECTS
PERSONAL_WORDS = {
    "email",
    "phone",
    "street",
    "address",
    "first_name",
    "last_name",
    "birth",
    "iban",
    "lines_of_address",
}


def structs_below(shape: Any, seen: set[type] | None = None) -> set[type]:
    """The struct and all it is made of."""
    found = set() if seen is None else seen
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        if shape not in found:
            found.add(shape)
            for field in msgspec.structs.fields(shape):
                structs_below(field.type, found)
    else:
        for argument in get_args(shape):
            structs_below(argument, found)
    return found


STRUCTS = sorted(set().union(*(structs_below(shape) for shape in ROOTS.values())), key=lambda s: s.__name__)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda s: s.__name__)
def test_a_struct_names_its_class(struct: type) -> None:
    """Its own, not an inherited one: what may be shown to whom is decided per shape."""
    assert struct.__dict__.get("data_class") in get_args(DataClass)


@pytest.mark.parametrize("struct", [s for s in STRUCTS if s not in (Party, People)], ids=lambda s: s.__name__)
def test_personal_fields_stand_in_people_only(struct: type) -> None:
    """Sealing is one rule: everything personal is inside `People`, and nothing else holds a `Party`."""
    fields = msgspec.structs.fields(struct)

    assert struct.__dict__["data_class"] != "personal"
    assert [
        f.name for f in fields if Party in structs_below(f.type) and People not in structs_below(f.type)
    ] == []
    assert [f.name for f in fields if f.name in PERSONAL_WORDS] == []


def test_the_walk_reaches_what_is_nested() -> None:
    """An order leads to its people, and they to a party."""
    assert {People, Party} <= structs_below(EVENTS["order.received.v1"])
