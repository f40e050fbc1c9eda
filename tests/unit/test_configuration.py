"""Settings and landscape: precedence, and errors that name file and field."""

import re
from pathlib import Path

import pytest
import yaml

from crossdock.connect.manifest import Availability
from crossdock.demo import landscape
from crossdock.errors import Misconfigured
from crossdock.landscape import load_landscape, resolve_secret
from crossdock.processes.policy import Policy
from crossdock.runtime.availability import channels_of, sold_otherwise
from crossdock.runtime.hub import check_channels, load_hub
from crossdock.settings import Settings, load_settings

HUB = {
    "settings": {"port": 9000, "workers": 3},
    "roles": {"erp": "sap-1", "warehouse": "wms-1", "carrier": "ups-1", "channels": ["shop"]},
}
SYSTEMS = {name: {"name": name, "connector": "any"} for name in ("sap-1", "wms-1", "ups-1", "shop")}


def write(folder: Path, hub: dict, systems: dict) -> Path:
    (folder / "systems").mkdir(exist_ok=True)
    (folder / "hub.yaml").write_text(yaml.safe_dump(hub))
    for name, system in systems.items():
        (folder / "systems" / f"{name}.yaml").write_text(yaml.safe_dump(system))
    return folder


def test_flag_beats_environment_beats_file_beats_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source overrides the one below it, field by field."""
    folder = write(tmp_path, HUB, SYSTEMS)
    assert (load_settings(folder).port, load_settings(folder).workers) == (9000, 3)
    assert load_settings(folder).bind == Settings().bind

    monkeypatch.setenv("CROSSDOCK_PORT", "9100")
    assert (load_settings(folder).port, load_settings(folder).workers) == (9100, 3)
    assert load_settings(folder, port=9200, workers=None).port == 9200


def test_every_setting_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As text, converted to the setting's type."""
    for name in Settings.__struct_fields__:
        default = getattr(Settings(), name)
        given = "elsewhere" if isinstance(default, str) else "7"
        monkeypatch.setenv(f"CROSSDOCK_{name.upper()}", given)
        assert getattr(load_settings(tmp_path), name) == type(default)(given)


@pytest.mark.parametrize(
    ("setting", "told"), [({"prot": 1}, "prot"), ({"port": "many"}, "port"), ({"workers": 1.5}, "workers")]
)
def test_a_wrong_setting_names_file_and_field(tmp_path: Path, setting: dict, told: str) -> None:
    """The reader knows where to look."""
    folder = write(tmp_path, {**HUB, "settings": setting}, SYSTEMS)

    with pytest.raises(Misconfigured, match=told) as error:
        load_settings(folder)
    assert str(folder / "hub.yaml") in str(error.value)


def test_no_file_means_defaults(tmp_path: Path) -> None:
    """Settings alone need no landscape."""
    assert load_settings(tmp_path) == Settings()


def test_a_good_landscape_is_read(tmp_path: Path) -> None:
    """Systems by name, roles resolved."""
    landscape = load_landscape(write(tmp_path, HUB, SYSTEMS))

    assert set(landscape.systems) == set(SYSTEMS)
    assert landscape.roles.erp == "sap-1"


@pytest.mark.parametrize(
    ("hub", "systems", "file", "told"),
    [
        ({**HUB, "roles": {**HUB["roles"], "erp": "sap-9"}}, {}, "hub.yaml", "roles.erp"),
        ({**HUB, "roles": {**HUB["roles"], "notify": ["crm"]}}, {}, "hub.yaml", "no system named crm"),
        ({**HUB, "roles": {"erp": "sap-1"}}, {}, "hub.yaml", "warehouse"),
        ({**HUB, "colour": "red"}, {}, "hub.yaml", "colour"),
        (HUB, {"shop": {"name": "shop", "connector": "any", "secret": {}}}, "systems/shop.yaml", "secret"),
        (HUB, {"shop": {"name": "shop"}}, "systems/shop.yaml", "connector"),
        (HUB, {"copy": {"name": "sap-1", "connector": "any"}}, "systems/sap-1.yaml", "a second system named sap-1"),
        (HUB, {"shop": {"name": "shop", "connector": "any", "secrets": {"key": "hunter2"}}}, "systems/shop.yaml", "secrets.key"),
    ],
)  # fmt: skip
def test_a_wrong_landscape_names_file_and_field(
    tmp_path: Path, hub: dict, systems: dict, file: str, told: str
) -> None:
    """And a literal secret is refused without being repeated."""
    folder = write(tmp_path, hub, SYSTEMS | systems)

    with pytest.raises(Misconfigured, match=told) as error:
        load_landscape(folder)
    assert str(folder / file) in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("text", ["roles: [", "roles: {erp: !!python/object:os.system x}"])
def test_yaml_that_is_none_names_the_file(tmp_path: Path, text: str) -> None:
    """Nothing in a landscape is executed."""
    folder = write(tmp_path, HUB, SYSTEMS)
    (folder / "hub.yaml").write_text(text)

    for load in (load_landscape, load_settings):
        with pytest.raises(Misconfigured, match=r"hub\.yaml"):
            load(folder)


def test_a_missing_landscape_says_what_to_do(tmp_path: Path) -> None:
    """A beginner's first error."""
    with pytest.raises(Misconfigured, match="crossdock init"):
        load_landscape(tmp_path)


def test_secrets_come_by_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file beside the landscape or from the environment, without the line's end."""
    (tmp_path / "key").write_text("s3cret\n")
    monkeypatch.setenv("SHOP_KEY", "from-env")

    assert resolve_secret(tmp_path, "shop: secrets.key", "${file:key}") == "s3cret"
    assert resolve_secret(tmp_path, "shop: secrets.key", "${env:SHOP_KEY}") == "from-env"


@pytest.mark.parametrize("reference", ["${file:nowhere}", "${env:NOT_SET_HERE}", "plain", "${vault:x}"])
def test_a_secret_that_is_not_there_is_named(tmp_path: Path, reference: str) -> None:
    """By the place that asks for it."""
    with pytest.raises(Misconfigured, match=r"shop: secrets\.key"):
        resolve_secret(tmp_path, "shop: secrets.key", reference)


@pytest.fixture
def group(tmp_path: Path) -> Path:
    """Two companies on one hub."""
    landscape.write_group(tmp_path, hub_port=9000, system_port=9001)
    return tmp_path


def test_a_company_has_the_common_rules_but_for_its_own(group: Path) -> None:
    """What it does not name is as for everybody; a company without rules of its own has the common ones."""
    policy = load_hub(group).policy

    assert policy.of("Acme US").invoice_needs == ("goods_issue",)
    assert policy.of("Acme US").shortage == policy.shortage == "backorder"
    assert policy.of("Acme US").routing == policy.routing
    assert policy.of("Acme EU") == policy


@pytest.mark.parametrize(
    ("companies", "place", "told"),
    [
        ({"Acme UK": {}}, "policy.companies.Acme UK", "it answers Acme EU, Acme US"),
        ({"Acme US": {"location": "SITE2"}}, "policy.companies.Acme US.location", "cannot differ by company"),
        ({"Acme US": {"shortage": "wait"}}, "policy.companies.Acme US", "shortage"),
        ({"Acme US": {"price_tolerance": "-1"}}, "policy.companies.Acme US.price_tolerance", "must not be negative"),
        ({"Acme US": {"clocks": {"label_minutes": -1}}}, "policy.companies.Acme US", ">= 0"),
        ({"Acme US": {"notify": ["fax"]}}, "policy.companies.Acme US.notify", "fax is not among"),
        ({"Acme US": "backorder"}, "policy.companies.Acme US", "must be a mapping"),
        (["Acme US"], "policy.companies", "must name companies"),
    ],
)  # fmt: skip
def test_a_wrong_rule_of_a_company_is_named(group: Path, companies: object, place: str, told: str) -> None:
    """File, company and rule, and what would be right."""
    path = group / "hub.yaml"
    hub = yaml.safe_load(path.read_text())
    hub["policy"]["companies"] = companies
    path.write_text(yaml.safe_dump(hub))

    with pytest.raises(Misconfigured, match=told) as error:
        load_hub(group)
    assert f"{path}: {place}" in str(error.value)


def test_a_channel_has_the_nodes_of_its_orders_and_the_delays_of_its_connector(group: Path) -> None:
    """As `routing.yaml` and the manifest say; one that is held is known."""
    path = group / "hub.yaml"
    hub = yaml.safe_load(path.read_text())
    hub["roles"]["channels"] = ["shopify-eu", "woo-us"]
    hub["policy"]["channels_held"] = ["woo-us"]
    path.write_text(yaml.safe_dump(hub))

    shopify, woo = channels_of(load_hub(group))

    assert (shopify.name, shopify.nodes, shopify.held) == ("shopify-eu", ("SITE1", "SITE2"), False)
    assert (shopify.visible_seconds, shopify.heard_seconds) == (3.0, 8.0)
    assert (woo.name, woo.nodes, woo.held) == ("woo-us", ("SITE2",), True)


def test_a_supplier_serves_a_rule_alone(group: Path) -> None:
    """An order is his or ours: what he sends is never claimed, what we send always."""
    path = group / "routing.yaml"
    routing = yaml.safe_load(path.read_text())
    routing["nodes"]["DROP1"] = {"kind": "supplier", "warehouse": "portal"}
    routing["orders"][0]["nodes"] = ["DROP1"]
    path.write_text(yaml.safe_dump(routing))
    assert [x.name for x in channels_of(load_hub(group))] == ["shopify-eu", "amazon-eu"]
    routing["orders"][0]["nodes"] = ["SITE2", "DROP1"]
    path.write_text(yaml.safe_dump(routing))

    with pytest.raises(Misconfigured) as error:
        load_hub(group)
    assert f"{path}: orders, rule us company: nodes: DROP1 is a supplier" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "nodes"),
    [
        ({}, []),
        ({"negative_stock": "sold from the floor"}, []),
        ({"parallel": True}, ["SITE1", "SITE2"]),
        ({"consigned": ["SUP-1"]}, ["SITE1", "SITE2"]),
    ],
)
def test_a_node_that_is_sold_otherwise_is_named(
    group: Path, changes: dict[str, object], nodes: list[str]
) -> None:
    """With every other node of the channels that sell from it: what they show is looked at again."""
    before = load_hub(group)
    path = group / "routing.yaml"
    routing = yaml.safe_load(path.read_text())
    routing["nodes"]["SITE2"] |= changes
    path.write_text(yaml.safe_dump(routing))

    assert sold_otherwise(before, load_hub(group)) == nodes


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (
            {"channel": ["woo-us"], "nodes": ["SITE1"], "owner": "SUP-1"},
            "nodes.SITE1.consigned: SUP-1 sells his own",
        ),
        (
            {"channel": ["shopify-eu"], "country": ["US"], "owner": "ACME"},
            "orders, rule eu company: owner: shopify-eu",
        ),
    ],
)
def test_goods_of_one_owner_are_never_sold_as_anothers(
    group: Path, change: dict[str, object], place: str
) -> None:
    """A supplier's goods are not sold for him and for us at once, and all rules of a channel are of one owner."""
    path = group / "routing.yaml"
    routing = yaml.safe_load(path.read_text())
    routing["nodes"]["SITE1"]["consigned"] = ["SUP-1"]
    path.write_text(yaml.safe_dump(routing))
    load_hub(group)
    routing["orders"][0] |= change
    path.write_text(yaml.safe_dump(routing))

    with pytest.raises(Misconfigured) as error:
        load_hub(group)
    assert f"{path}: {place}" in str(error.value)


@pytest.mark.parametrize(
    ("policy", "counts", "told"),
    [
        (Policy(channels=("a",), channels_held=("b",)), "available", "channels_held: b is not among"),
        (Policy(channels=("a",)), "on_hand", "roles.channels: a takes its own orders off"),
    ],
)
def test_a_channel_that_cannot_be_told_right_is_refused(policy: Policy, counts: str, told: str) -> None:
    """Before it is told numbers from which its own orders would be taken twice, or a hold of nobody."""
    meant = Availability(counts, 1.0)  # type: ignore[arg-type]

    with pytest.raises(Misconfigured, match=told):
        check_channels(policy, {"a": meant}, Path("hub"))
    check_channels(Policy(channels=("a",)), {"a": Availability("available", 1.0)}, Path("hub"))


HOW_TO = Path(__file__).parents[2] / "docs" / "howto" / "cases.md"


def with_policy(folder: Path, **more: object) -> Path:
    path = folder / "hub.yaml"
    hub = yaml.safe_load(path.read_text())
    hub["policy"] = hub.get("policy", {}) | more
    path.write_text(yaml.safe_dump(hub))
    return folder


def test_the_how_tos_causes_are_taken(group: Path) -> None:
    """What docs/howto/cases.md tells people to write works as it stands there."""
    blocks = re.findall(r"```yaml\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    said = {key: value for block in blocks for key, value in yaml.safe_load(block)["policy"].items()}

    policy = load_hub(with_policy(group, **said)).policy

    assert policy.causes["credit"].owner == "credit desk"
    assert policy.causes["fraud check"].hours == 4
    assert policy.desk.time_zone == "Europe/Berlin"
    assert policy.telling.address("finance") == "finance-desk@example.com"


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ({"causes": {"fraud": {"title": "Fraud"}}}, r"policy\.causes\.fraud"),
        ({"causes": {"credit": {"hours": -1}}}, r"policy\.causes\.credit\.hours"),
        ({"causes": {"credit": {"who": "me"}}}, "who"),
        ({"desk": {"calendar": "nowhere"}}, r"policy\.desk\.calendar"),
        ({"desk": {"time_zone": "Mars/Crater"}}, r"policy\.desk\.time_zone"),
        ({"desk": {"opens": "18:00", "closes": "08:00"}}, r"policy\.desk"),
        ({"desk": {"opens": "8"}}, "opens"),
    ],
)
def test_a_wrong_cause_or_desk_is_named(group: Path, policy: dict, place: str) -> None:
    """`crossdock config lint` says where."""
    with pytest.raises(Misconfigured, match=place):
        load_hub(with_policy(group, **policy))
