"""The conformance kit over every installed connector, and over a broken one to see that it bites."""

import json
import shutil
import uuid
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from crossdock.connect.conformance import RULES, failures, judge, judge_folder
from crossdock.connect.contract import Account, Connector, Inbound, Translation
from crossdock.connect.discovery import Found, installed
from crossdock.connect.fixtures import write_expected
from crossdock.connect.manifest import load_manifest
from crossdock.model.party import People

CONNECTORS = installed()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", CONNECTORS)
def test_a_connector_conforms(name: str, rule: str) -> None:
    """Every folder that is found holds every rule, and has nothing left to do."""
    told = [str(finding) for finding in RULES[rule].check(CONNECTORS[name])]
    assert not told, "\n".join(told)


def test_every_rule_says_what_it_asks_and_what_to_do() -> None:
    """In one sentence each."""
    assert [name for name, rule in RULES.items() if not rule.says.endswith(".")] == []
    assert [name for name, rule in RULES.items() if not rule.remedy.endswith((".", "`"))] == []


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
    assert sentence.startswith("translations: fixtures/in_cancel_request.json: differs")
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


class Silent(Found):
    """A connector that gives no events and does not say why."""

    def load(self) -> Connector:
        good = super().load()
        translate = good.translate
        assert translate is not None
        return replace(
            good, translate=lambda inbound, account: replace(translate(inbound, account), events=())
        )


def test_silence_needs_a_reason(broken: Found) -> None:
    """From a message that is understood something follows, or it is said why not."""
    told = failures(Silent(broken.package, broken.folder, broken.manifest))
    assert any(x.endswith("or says in `ignored` why there are none: one of the two") for x in told)


def test_missing_fixtures_and_papers_are_told(broken: Found) -> None:
    """What a reader or the next author would miss is named."""
    for path in (*broken.folder.glob("fixtures/in_[bu]*"), *broken.folder.glob("fixtures/out_milestone*")):
        path.unlink()
    (broken.folder / "README.md").unlink()
    told = failures(broken)
    assert "inbound_fixtures: fixtures: channel events has no fixture that is refused" in told
    assert "renderings: fixtures: effect milestone.record has no out_ fixture" in told
    assert "papers: README.md: is missing" in told


def test_a_manifest_that_promises_nonsense_is_told(broken: Found) -> None:
    """Event types, effect kinds and quirks of the manifest must exist."""
    _spoil(broken, "manifest.toml", 'receipt = "customer.notified.v1"', 'receipt = "customer.hugged.v1"')
    _spoil(broken, "manifest.toml", "[quirks]", '[quirks]\nmoonlight = "Answers at night only."')
    told = failures(_reread(broken))
    assert (
        "manifest: manifest.toml: effects.customer.notify.receipt: customer.hugged.v1 is no event type"
        in told
    )
    assert "quirks: twin.py: quirk moonlight is not in the twin's code" in told
    assert "quirks: README.md: quirk moonlight is not described" in told


def test_numbers_without_a_meaning_are_told(broken: Found) -> None:
    """A connector that publishes availability must say what its numbers mean, and no other does."""
    declared = '[availability]\ncounts = "available"\nlatency_seconds = -1.0\n\n'
    _spoil(broken, "manifest.toml", "[quirks]", declared + "[quirks]")
    told = "manifest: manifest.toml: availability: belongs to availability.publish: both or neither"
    assert told in failures(_reread(broken))
    publishes = '[effects."availability.publish"]\nidempotency = "upsert"\n\n'
    _spoil(broken, "manifest.toml", "[availability]", publishes + "[availability]")
    assert "manifest: manifest.toml: availability: times must be positive" in failures(_reread(broken))


def test_an_account_must_have_what_is_declared(broken: Found) -> None:
    """A fixture account without its secret, or with an undeclared one, is of no use."""
    _spoil(broken, "fixtures/account.json", '"secret":', '"password":')
    told = failures(broken)
    assert "account: fixtures/account.json: lacks the secret secret" in told
    assert (
        "account: fixtures/account.json: has the secret password, which the manifest does not declare" in told
    )


@pytest.fixture
def listing(tmp_path: Path) -> Found:
    """A copy of a connector with a list of changed orders."""
    good = CONNECTORS["woocommerce"]
    shutil.copytree(good.folder, tmp_path / "woocommerce")
    return Found(good.package, tmp_path / "woocommerce", good.manifest)


def test_a_list_that_shows_what_nobody_told_is_told(listing: Found) -> None:
    """Without one object that a message tells as well, nothing shows that both are one."""
    _spoil(
        listing,
        "fixtures/list_orders.json",
        '"date_modified_gmt": "2026-01-15T1',
        '"date_modified_gmt": "2026-02-15T1',
    )
    [sentence] = failures(listing)
    assert sentence.startswith("lists: fixtures/list_orders.json: no row is what an in_ fixture tells")


def test_a_list_needs_its_page_its_channel_and_its_times(listing: Found) -> None:
    """Each is named by the field or file that is wrong."""
    (listing.folder / "fixtures/list_orders.json").unlink()
    _spoil(listing, "manifest.toml", 'channel = "webhooks"', 'channel = "letters"')
    _spoil(listing, "manifest.toml", "every_seconds = 300.0", "every_seconds = 0.0")
    assert failures(_reread(listing)) == [
        "lists: manifest.toml: lists.orders.channel: letters is no inbound channel",
        "lists: manifest.toml: lists.orders: times must be positive",
        "lists: fixtures: list orders has no list_orders.json: a page as the partner answers it",
    ]


class Forgetful(Found):
    """A connector whose messages go by the moment's bytes, and whose pages are taken as they come."""

    def load(self) -> Connector:
        good = super().load()
        translate, rows = good.translate, good.rows
        assert translate is not None
        assert rows is not None
        return replace(
            good,
            translate=lambda inbound, account: replace(translate(inbound, account), content=b""),
            rows=lambda name, body, at: rows(name, json.dumps(json.loads(body)).encode(), at),
        )


def test_a_careless_list_is_told(listing: Found) -> None:
    """Messages without content, and a page that crashes."""
    told = failures(Forgetful(listing.package, listing.folder, listing.manifest))
    assert any(
        x.startswith("lists: fixtures/list_orders.json: no row is what an in_ fixture tells") for x in told
    )
    assert any("JSONDecodeError" in x for x in told)


def _careless_translate(inbound: Inbound, _account: Account) -> Translation:
    document = json.loads(inbound.body)
    return Translation(source_id=inbound.received_at.isoformat() + document["id"], events=())


def _careless_render(_kind: str, _payload: msgspec.Struct, _people: People, _account: Account) -> bytes:
    return uuid.uuid4().bytes


def _careless_authenticate(_inbound: Inbound, _account: Account) -> None:
    """Nobody is asked for anything."""


class Careless(Found):
    """A connector whose code trusts everybody, and depends on the moment."""

    def load(self) -> Connector:
        return replace(
            super().load(),
            authenticate=_careless_authenticate,
            translate=_careless_translate,
            render=_careless_render,
            sign=lambda inbound, _account, _topic: {"X-Id": str(uuid.uuid4())},
        )


def test_careless_code_is_told(broken: Found) -> None:
    """Crashes on damaged messages, unstable ids and bodies, and a kind nobody mapped are all found."""
    for path in broken.folder.glob("fixtures/in_[bu]*.json"):
        path.unlink()
    (broken.folder / "fixtures/in_order_batch_with_people.json").unlink()
    told = failures(Careless(broken.package, broken.folder, broken.manifest))
    for expected in (
        "damage: fixtures/in_cancel_request.json: with an empty body: JSONDecodeError",
        "identities: fixtures/in_cancel_request.json: the source id depends on the time of arrival",
        "renderings: fixtures/out_customer.notify.json: rendered twice, it gives two bodies",
        "unknown_kinds: mapping.py: render of an unknown effect kind gives a body",
        "signing: connector.py: channel events: accepts what somebody else signed",
        "signing: connector.py: sign gives header names that are not in lower case",
        "signing: connector.py: equal messages are signed differently",
    ):
        assert any(sentence.startswith(expected) for sentence in told), expected


def test_code_that_does_not_load_ends_the_list(broken: Found) -> None:
    """Without code nothing else can be judged."""
    [sentence] = failures(Found("crossdock.connectors.no_such", broken.folder, broken.manifest))
    assert sentence.startswith("code: connector.py: the code does not load: ModuleNotFoundError")


def test_a_folder_that_cannot_be_read_ends_the_list(broken: Found) -> None:
    """A fixture that is no JSON, or one whose expectation was never written, is named before anything is judged by it."""
    (broken.folder / "fixtures/in_cancel_request.expected.json").unlink()
    assert failures(broken) == [
        "expected: fixtures/in_cancel_request.json: has no in_cancel_request.expected.json"
    ]
    _spoil(broken, "fixtures/in_cancel_request.json", "{", "")
    [sentence] = failures(broken)
    assert sentence.startswith("fixtures: fixtures/in_cancel_request.json: cannot be read")


def test_a_wrong_manifest_is_a_finding(broken: Found) -> None:
    """It names the field, and nothing else is judged."""
    _spoil(broken, "manifest.toml", 'idempotency = "key"', 'idempotency = "hope"')
    [ruling] = judge_folder(broken.package, broken.folder)
    assert (ruling.rule, ruling.result) == ("manifest", "failed")
    assert "hope" in ruling.findings[0].problem
    assert "idempotency" in ruling.findings[0].problem


class Crashing(Found):
    """A connector that raises where nobody expects it."""

    def load(self) -> Connector:
        return replace(super().load(), sign=lambda inbound, account, _topic: {"x": account.secrets["no"]})


def test_a_crash_is_a_finding_and_not_the_end(broken: Found) -> None:
    """The rules after it are judged all the same."""
    told = {ruling.rule: ruling for ruling in judge(Crashing(broken.package, broken.folder, broken.manifest))}
    assert [str(finding) for finding in told["signing"].findings] == ["connector.py: raises KeyError: 'no'"]
    assert list(told) == list(RULES)
    assert {ruling.result for name, ruling in told.items() if name != "signing"} == {"ok"}


def test_a_readme_without_its_parts_is_told(broken: Found) -> None:
    """Limits and every secret are looked for there."""
    _spoil(broken, "README.md", "## Limits", "## Bounds")
    _spoil(broken, "README.md", "`secret_previous`", "`secret_former`")
    assert failures(broken) == [
        "readme: README.md: says nothing of limits",
        "readme: README.md: does not name secret_previous",
    ]


def test_what_is_left_to_do_is_told_and_no_failure(broken: Found) -> None:
    """A note in any file, a sample that nobody captured, an answer that no test shows; each with its place."""
    _spoil(broken, "manifest.toml", 'owner = "customer service"', 'owner = "todo: Who answers for it."')
    _spoil(broken, "client.py", "CHECK_SECONDS: Final", "# todo: Ask them.\nCHECK_SECONDS: Final")
    _spoil(broken, "test_signed_webhook.py", "Refused", "Done")
    for name in ("in_bad_no_data", "in_bad_no_data.expected"):
        path = broken.folder / "fixtures" / f"{name}.json"
        path.rename(path.with_name(path.name.replace("no_data", "no_data_sample")))
    rulings = list(judge(_reread(broken)))
    assert {ruling.rule for ruling in rulings if ruling.result != "ok"} == {"outcomes", "leftovers"}
    assert {ruling.result for ruling in rulings} == {"ok", "todo"}
    told = failures(_reread(broken))
    for expected in (
        "outcomes: test_signed_webhook.py: no test shows an effect that the partner refuses for good",
        "leftovers: manifest.toml: owner: is to be written",
        "leftovers: client.py: line 25: is to be written",
        "leftovers: fixtures/in_bad_no_data_sample.json: is made up",
    ):
        assert expected in told
    remedies = {finding.remedy for ruling in rulings for finding in ruling.findings}
    assert {"Who answers for it.", "Ask them."} <= remedies
