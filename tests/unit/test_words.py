"""The tables of business words are total: whatever can happen can be told in plain words."""

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from crossdock.model.registry import EFFECTS, EVENTS, decode
from crossdock.model.shipment import MilestoneReached
from crossdock.views import words

SAMPLES = sorted((Path(__file__).parent / "model" / "samples").glob("*.json"))


def test_every_event_type_has_words() -> None:
    """And no words are left over for types that are gone."""
    assert set(words.EVENTS) == set(EVENTS)


def test_every_effect_kind_has_words() -> None:
    """And no words are left over for kinds that are gone."""
    assert set(words.EFFECTS) == set(EFFECTS)


def test_technical_types_exist() -> None:
    """The list of what only the curious are told names real types."""
    assert set(EVENTS) >= words.TECHNICAL


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_stored_event_can_be_told(sample: Path) -> None:
    """One line, from the sample's own data, without a placeholder or the type's technical name."""
    type_ = sample.stem.partition("~")[0]

    said = words.happened(type_, "SAP", decode(type_, sample.read_bytes()))

    assert said
    assert not said.endswith(".")
    assert "\n" not in said
    assert type_ not in said
    assert "None" not in said


def test_every_milestone_has_words() -> None:
    """A carrier's scan of any kind is a sentence."""
    known = next(f for f in msgspec.structs.fields(MilestoneReached) if f.name == "milestone").type

    assert set(words._MILESTONES) == set(get_args(known))


@pytest.mark.parametrize("kind", EFFECTS)
@pytest.mark.parametrize("outcome", ["done", "refused", "unclear", "retry", "unknown", "absent", "not yet there", "cannot tell"])  # fmt: skip
def test_every_outcome_of_a_try_can_be_told(kind: str, outcome: str) -> None:
    """The sentence names who, and never the technical kind."""
    said = words.tried(kind, "SAP", outcome=outcome, document="4711", reason="locked")

    assert "SAP" in said
    assert kind not in said
    assert not said.endswith(f", {words.ask(kind)}: {outcome}")


def test_an_unknown_kind_speaks_for_itself() -> None:
    """A newer release may have written it."""
    assert words.ask("customs_entry.file") == "customs entry: file"
    assert words.happened("order.teleported.v1", "SAP", None) == "SAP said order.teleported.v1"


@pytest.mark.parametrize(
    ("local_at", "location", "said"),
    [
        ("2026-10-25T02:30:00", "Hamburg, DE", "comes twice in Europe/Berlin"),
        ("2026-03-29T02:30:00", "Hamburg, DE", "does not exist in Europe/Berlin"),
        ("2026-07-15T14:02:00", "Louisville, KY, US", "zone is not known"),
        ("2026-07-15T14:02:00", "Hamburg, DE", ""),
    ],
)
def test_a_doubtful_clock_is_said(local_at: str, location: str, said: str) -> None:
    """A scan without a zone says what its clock leaves open, and nothing where it leaves nothing open."""
    scan = MilestoneReached("arrived", "ACT", "1Z1", "ups", local_at=local_at, location=location)

    told = words.happened("shipment.milestoneReached.v1", "UPS", scan)

    assert said in told
    assert ("(" in told) == bool(said)
