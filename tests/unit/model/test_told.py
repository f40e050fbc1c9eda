"""Data minimisation: what a connector gets to see of people depends on what it is asked to do, and on nothing else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model.party import NEEDED, NOBODY, Party, People, told
from crossdock.model.registry import EFFECTS

texts = st.text(min_size=1, max_size=8)
parties = st.builds(
    Party, name=texts, company=texts, lines=st.lists(texts, min_size=1, max_size=3).map(tuple), city=texts,
    region=texts, postal_code=texts, country=texts, email=texts, phone=texts,
)  # fmt: skip
everybody = st.builds(People, buyer=parties, ship_to=parties)


@given(everybody, st.sampled_from(sorted(EFFECTS)))
def test_a_kind_is_told_what_it_needs_and_nothing_else(people: People, kind: str) -> None:
    """Each field is as it was where the kind needs it, and empty where it does not."""
    seen = told(kind, people)

    for party in ("buyer", "ship_to"):
        needed = NEEDED.get(kind, {}).get(party, ())
        for field in msgspec.structs.fields(Party):
            was, now = getattr(getattr(people, party), field.name), getattr(getattr(seen, party), field.name)
            assert now == (was if field.name in needed else field.default)


@pytest.mark.parametrize("kind", sorted(set(EFFECTS) - set(NEEDED)))
def test_most_kinds_are_told_of_nobody(kind: str) -> None:
    """A goods issue or an invoice needs no name: the ERP has its own customer."""
    assert told(kind, People(buyer=Party(name="Mara"), ship_to=Party(name="Mara"))) == NOBODY


def test_kinds_that_are_told_of_people_exist() -> None:
    """The table names no effect that is not there."""
    assert set(NEEDED) <= set(EFFECTS)


def test_only_who_writes_mails_gets_an_address_for_them() -> None:
    """An e-mail address stands in two rows of the table: the buyer's, and a colleague's."""
    wanted = [
        (kind, party) for kind, parties in NEEDED.items() for party in parties if "email" in parties[party]
    ]
    assert sorted(wanted) == [("case.tell", "colleague"), ("customer.notify", "buyer")]
