"""Events only grow: one stored sample of every shape ever written must load for ever.

A changed shape gets a new sample beside the old one (`<type>~2.json`); an old sample is never edited.
"""

import json
from pathlib import Path

import msgspec
import pytest

from crossdock.model.registry import EVENTS, TYPE_PREFIX, decode, encode, short_type

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))


def type_of(sample: Path) -> str:
    return sample.stem.partition("~")[0]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_stored_sample_loads(sample: Path) -> None:
    """What was written once is read by every later release, and written again without loss."""
    stored = json.loads(sample.read_bytes())
    event = decode(type_of(sample), sample.read_bytes())

    assert isinstance(event, EVENTS[type_of(sample)])
    assert decode(type_of(sample), encode(event)) == event
    assert stored.items() <= json.loads(encode(event)).items()


@pytest.mark.parametrize("type_", EVENTS)
def test_every_type_has_a_sample(type_: str) -> None:
    """A new event type comes with its sample."""
    assert type_ in {type_of(sample) for sample in SAMPLES}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_later_field_does_not_stop_an_older_release(sample: Path) -> None:
    """During an upgrade both releases run: the older one reads past fields it does not know."""
    grown = json.loads(sample.read_bytes()) | {"a_field_of_tomorrow": 1}

    assert decode(type_of(sample), json.dumps(grown).encode()) == decode(type_of(sample), sample.read_bytes())


def test_an_unknown_type_is_a_key_error() -> None:
    """The reader can tell it from a wrong shape."""
    with pytest.raises(KeyError):
        decode("order.teleported.v1", b"{}")


def test_a_wrong_shape_is_told_apart() -> None:
    """A stored event that does not fit its type says so."""
    with pytest.raises(msgspec.ValidationError):
        decode("order.received.v1", b'{"number": 7}')


def test_the_wire_type_carries_the_prefix() -> None:
    """CloudEvents say `crossdock.logistics.…`; tables and code use the short form."""
    assert short_type(TYPE_PREFIX + "order.received.v1") == "order.received.v1"
    assert short_type("order.received.v1") == "order.received.v1"
