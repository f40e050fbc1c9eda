"""The conformance kit over every installed connector, and over a broken one to see that it bites."""

import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from crossdock.connect.conformance import CHECKS, failures
from crossdock.connect.contract import Account, Connector, Inbound, Translation
from crossdock.connect.discovery import Found, installed
from crossdock.connect.fixtures import write_expected
from crossdock.connect.manifest import load_manifest
from crossdock.model.party import People

CONNECTORS = installed()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", CONNECTORS)
def test_a_connector_conforms(name: str, check: str) -> None:
    """Every folder that is found holds every rule."""
    told = list(CHECKS[check](CONNECTORS[name]))
    assert not told, "\n".join(told)


@pytest.fixture
def broken(tmp_path: Path) -> Found:
    """A copy of a good connector's folder that a test may spoil; its code stays the good one's."""
    good = CONNECTORS["signed_webhook"]
    shutil.copytree(good.folder, tmp_path / "signed_webhook")
    return Found(good.package, tmp_path / "signed_webhook", good.manifest)


def _spoil(broken: Found, name: str, old: str, new: str) -> None:
    path = broken.folder / name
    text = path.read_text()
    assert old in text, f"{name} has no {old}"
    path.write_text(text.replace(old, new))


def _reread(broken: Found) -> Found:
    return Found(broken.package, broken.folder, load_manifest(broken.folder / "manifest.toml"))


def test_a_faithful_copy_conforms(broken: Found) -> None:
    """The copy itself is no reason to complain."""
    assert failures(broken) == []


def test_a_wrong_expectation_is_told_with_its_difference(broken: Found) -> None:
    """A mapping that gives something else than promised fails with both values."""
    _spoil(broken, "fixtures/in_cancel_request.expected.json", "order/shop-1/5001", "order/shop-1/5002")
    [sentence] = failures(broken)
    assert sentence.startswith("translations: in_cancel_request.json differs")
    assert "order/shop-1/5001" in sentence
    assert "order/shop-1/5002" in sentence


def test_regenerating_repairs_and_shows_it(broken: Found) -> None:
    """`--write` brings the expected file back and says what it changed, and leaves the others alone."""
    _spoil(broken, "fixtures/in_cancel_request.expected.json", "order/shop-1/5001", "order/shop-1/5002")
    [difference] = write_expected(broken)
    assert "order/shop-1/5001" in difference
    assert failures(broken) == []


def test_a_secret_in_a_body_is_told(broken: Found) -> None:
    """A rendering must never carry what signs it."""
    _spoil(broken, "fixtures/account.json", "whsec_Y3Jvc3Nkb2NrLWZpeHR1cmUtc2VjcmV0LTE=", "shipped")
    assert any("the body carries the secret secret" in sentence for sentence in failures(broken))


def test_missing_fixtures_and_papers_are_told(broken: Found) -> None:
    """What a reader or the next author would miss is named."""
    for path in (*broken.folder.glob("fixtures/in_[bu]*"), *broken.folder.glob("fixtures/out_milestone*")):
        path.unlink()
    (broken.folder / "README.md").unlink()
    told = failures(broken)
    assert "inbound_fixtures: channel events has no fixture that is refused" in told
    assert "renderings: effect milestone.record has no out_ fixture" in told
    assert "papers: README.md is missing" in told


def test_a_manifest_that_promises_nonsense_is_told(broken: Found) -> None:
    """Event types, effect kinds and quirks of the manifest must exist."""
    _spoil(broken, "manifest.toml", 'receipt = "customer.notified.v1"', 'receipt = "customer.hugged.v1"')
    _spoil(broken, "manifest.toml", "[quirks]", '[quirks]\nmoonlight = "Answers at night only."')
    told = failures(_reread(broken))
    assert "manifest: effects.customer.notify: receipt customer.hugged.v1 is no event type" in told
    assert "quirks: quirk moonlight is not in the twin's code" in told
    assert "quirks: quirk moonlight is not in the README" in told


def test_an_account_must_have_what_is_declared(broken: Found) -> None:
    """A fixture account without its secret, or with an undeclared one, is of no use."""
    _spoil(broken, "fixtures/account.json", '"secret":', '"password":')
    told = failures(broken)
    assert "account: account.json lacks the secret secret" in told
    assert "account: account.json has the secret password, which the manifest does not declare" in told


def _careless_translate(inbound: Inbound, _account: Account) -> Translation:
    document = json.loads(inbound.body)
    return Translation(source_id=inbound.received_at.isoformat() + document["id"], events=())


def _careless_render(_kind: str, _payload: msgspec.Struct, _people: People, _account: Account) -> bytes:
    return uuid.uuid4().bytes


class Careless(Found):
    """A connector whose code trusts everybody, and depends on the moment."""

    def load(self) -> Connector:
        good = super().load()
        return replace(good, translate=_careless_translate, render=_careless_render)


def test_careless_code_is_told(broken: Found) -> None:
    """Crashes on damaged messages, unstable ids and bodies, and a kind nobody mapped are all found."""
    for path in broken.folder.glob("fixtures/in_[bu]*.json"):
        path.unlink()
    (broken.folder / "fixtures/in_order_batch_with_people.json").unlink()
    told = failures(Careless(broken.package, broken.folder, broken.manifest))
    for expected in (
        "damage: in_cancel_request.json with an empty body: JSONDecodeError",
        "identities: in_cancel_request.json: the source id depends on the time of arrival",
        "renderings: out_customer.notify.json: rendered twice, it gives two bodies",
        "unknown_kinds: render of an unknown effect kind gives a body",
    ):
        assert any(sentence.startswith(expected) for sentence in told), expected


def test_code_that_does_not_load_ends_the_list(broken: Found) -> None:
    """Without code nothing else can be judged."""
    [sentence] = failures(Found("crossdock.connectors.no_such", broken.folder, broken.manifest))
    assert sentence.startswith("code: the code does not load: ModuleNotFoundError")
