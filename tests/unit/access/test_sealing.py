"""Sealing and tokens: what was sealed opens with its key, in its place, unchanged, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.access.sealing import HubKey, Unsealable, new_key, open_sealed, seal, subject_of
from crossdock.access.tokens import Identity, Key, hash_token, id_of, matches, new_token

KEY = bytes(range(32))
HUB = HubKey(KEY)
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_is_sealed_opens_again(plain: bytes, context: bytes) -> None:
    """With the same key and the same place."""
    assert open_sealed(KEY, seal(KEY, plain, context), context) == plain


@given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20))
def test_another_place_does_not_open_it(plain: bytes, context: bytes, other: bytes) -> None:
    """A sealed value cannot be copied into another row."""
    if context == other:
        return
    with pytest.raises(Unsealable):
        open_sealed(KEY, seal(KEY, plain, context), other)


@given(st.binary(min_size=1, max_size=60), st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_noticed(plain: bytes, at: int, flip: int) -> None:
    """Version, nonce, text and tag alike."""
    sealed = bytearray(seal(KEY, plain, b"here"))
    sealed[at % len(sealed)] ^= flip

    with pytest.raises(Unsealable):
        open_sealed(KEY, bytes(sealed), b"here")


@given(st.binary(max_size=40))
def test_garbage_is_unsealable(garbage: bytes) -> None:
    """Short, empty or random bytes raise the one promised error."""
    with pytest.raises(Unsealable):
        open_sealed(KEY, garbage, b"here")


def test_the_same_text_is_never_sealed_alike() -> None:
    """Equal customers cannot be told from equal bytes."""
    assert seal(KEY, b"Toni", b"here") != seal(KEY, b"Toni", b"here")


def test_a_destroyed_key_is_gone_for_good() -> None:
    """Erasure: another key does not open what the destroyed one sealed."""
    sealed = seal(new_key(), b"Toni", b"here")

    with pytest.raises(Unsealable):
        open_sealed(new_key(), sealed, b"here")


def test_wrapped_keys_belong_to_their_subject() -> None:
    """A wrapped key moved to another subject does not unwrap."""
    one, other = subject_of("customer/shop/1"), subject_of("customer/shop/2")
    inner = new_key()

    assert HUB.unwrap(HUB.wrap(inner, one), one) == inner
    with pytest.raises(Unsealable):
        HUB.unwrap(HUB.wrap(inner, one), other)


def test_derived_keys_differ_by_purpose() -> None:
    """And are the same at every start."""
    assert HUB.derive("access tokens") == HUB.derive("access tokens")
    assert len({HUB.derive("access tokens"), HUB.derive("effect bodies"), KEY}) == 3


def stored(token: str, *, expires_at: datetime | None = None) -> Key:
    identity = Identity(id_of(token), "operator", frozenset({"operator"}))
    return Key(identity, hash_token(HUB, token), expires_at)


def test_a_token_matches_itself_only() -> None:
    """The stored hash says nothing about another token, another hub, or a cut one."""
    _, token = new_token()
    _, other = new_token()

    assert matches(HUB, stored(token), token, NOW)
    assert not matches(HUB, stored(token), other, NOW)
    assert not matches(HUB, stored(token), token[:-1], NOW)
    assert not matches(HubKey(new_key()), stored(token), token, NOW)


def test_an_expired_token_matches_nothing() -> None:
    """From its very instant on."""
    _, token = new_token()

    assert matches(HUB, stored(token, expires_at=NOW + timedelta(seconds=1)), token, NOW)
    assert not matches(HUB, stored(token, expires_at=NOW), token, NOW)


@given(st.text(max_size=300))
def test_no_text_that_is_no_token_has_an_id(text: str) -> None:
    """Whatever stands in the header, looking its id up is harmless."""
    assert id_of(text) == "" or text.startswith("xd_")
