"""The chain's arithmetic: whatever is changed in a link changes its hash, and a signature is worth what its key is."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.access.audit import (
    DIGEST_BYTES,
    TABLES,
    BadSignature,
    Checkpoint,
    Link,
    Signed,
    genesis,
    opened,
    public_key,
    sign,
)
from crossdock.access.sealing import HubKey

AT = datetime(2026, 3, 1, tzinfo=UTC)
counts = st.integers(0, 3)


@st.composite
def links(draw: st.DrawFn) -> Link:
    rows = [draw(counts) for _ in TABLES]
    digests = draw(st.binary(min_size=sum(rows) * DIGEST_BYTES, max_size=sum(rows) * DIGEST_BYTES))
    return Link(
        no=draw(st.integers(1, 9)), generation=1, xid_from=10, xid_to=draw(st.integers(11, 99)), events=rows[0],
        messages=rows[1], attempts=rows[2], actions=rows[3], segment_from=2900, segment_to=2901, digests=digests,
        previous=genesis("hub"), sealed_at=AT,
    )  # fmt: skip


@given(links(), st.sampled_from([f for f in Link.__struct_fields__ if f != "hash"]))
def test_each_field_of_a_link_is_in_its_hash(link: Link, name: str) -> None:
    """No field can be changed and the hash stay."""
    was = getattr(link, name)
    other = (
        was + b"\0" if isinstance(was, bytes) else was + timedelta(microseconds=1) if name == "sealed_at" else was + 1
    )  # fmt: skip

    assert msgspec.structs.replace(link, **{name: other}).hashed() != link.hashed()


@given(links())
def test_the_digests_of_the_tables_are_all_of_them(link: Link) -> None:
    """Table by table they are what the link holds, in order."""
    assert b"".join(b"".join(link.of(table)) for table in TABLES) == link.digests
    assert [len(link.of(table)) for table in TABLES] == [getattr(link, table) for table in TABLES]


def signed(hub: HubKey) -> Signed:
    return sign(hub, Checkpoint(hub="h", checkpoint=1, link=2, hash="ab", at=AT, previous=""))


def test_a_signature_opens_with_the_hubs_own_key() -> None:
    """And gives back what was signed; the public key follows from the hub key alone."""
    hub = HubKey(b"k" * 32)

    assert opened(signed(hub), public_key(HubKey(b"k" * 32)), Checkpoint).link == 2


@pytest.mark.parametrize("change", ["body", "signature", "key"])
def test_a_changed_checkpoint_does_not_open(change: str) -> None:
    """Not with a changed body or signature, nor with another hub's key."""
    hub, made = HubKey(b"k" * 32), signed(HubKey(b"k" * 32))
    wrong = {
        "body": (msgspec.structs.replace(made, body=made.body.replace('"link":2', '"link":3')), public_key(hub)),
        "signature": (msgspec.structs.replace(made, signature="00" * 64), public_key(hub)),
        "key": (made, public_key(HubKey(b"x" * 32))),
    }[change]  # fmt: skip

    with pytest.raises(BadSignature):
        opened(*wrong, Checkpoint)
