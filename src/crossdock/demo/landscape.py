"""Writing a landscape directory: what `crossdock init` leaves, and what the demo runs on."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import yaml

LOCATION = "SITE1"
SECOND = "SITE2"
SHOPS = ("shopify", "woocommerce")
SOURCES = {"amazon_marketplace": 2.0}
"""Shops whose orders come by asking alone, and how often they are asked in a demo, in seconds."""
CHANNELS = ("shopify-eu", "amazon-eu")
"""Two channels that sell one stock."""
NIGHT = "02:00"
"""Of each site's own time."""
OWN_URL = "{base_url}"
"""In a setting: where the system itself is."""
_HEADER = "# A Crossdock landscape. Reference: docs/reference/landscape.md; check it with `crossdock config lint`.\n"


@dataclass(frozen=True)
class SystemSpec:
    """One system of the template, with how its twin is started."""

    name: str
    connector: str
    channel: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


def specs(hub_url: str) -> tuple[SystemSpec, ...]:
    """The founding landscape: a shop, an ERP, a warehouse, a parcel carrier, CRM and portal."""
    return (
        SystemSpec(
            "shopify-eu", "shopify", "webhooks", {"location_gid": "gid://shopify/Location/7001"},
            ("webhook_secret", "access_token"),
        ),
        SystemSpec(
            "sap-1", "sap_s4", "events", {"sold_to_party": "1000042", "plant": "1010"},
            ("user", "password", "event_user", "event_password"),
        ),
        SystemSpec(
            "wms-1", "manhattan_wms", "events", {"organisation": "ACME", "facility": LOCATION},
            ("client_id", "client_secret", "event_secret"),
        ),
        SystemSpec(
            "ups-1", "ups", "track-alert",
            {
                "account_number": "A1B2C3", "webhook_url": f"{hub_url}/v1/in/ups-1/track-alert",
                "shipper_name": "Acme Fulfilment", "shipper_line": "Lagerstrasse 1", "shipper_city": "Hamburg",
                "shipper_postal_code": "20095", "shipper_country": "DE",
            },
            ("client_id", "client_secret", "webhook_credential"),
        ),
        SystemSpec("crm", "signed_webhook", "events", {}, ("secret",)),
        SystemSpec("portal", "signed_webhook", "events", {}, ("secret",)),
    )  # fmt: skip


def group_specs(hub_url: str) -> tuple[SystemSpec, ...]:
    """Two companies on one hub: a second shop, ERP and warehouse, a marketplace that sells the first one's stock as well, a TMS
    for what is too heavy for parcels, and mail.
    """
    eu, sap, wms, *rest = specs(hub_url)
    gids = "gid://shopify/Location/7001, SITE2=gid://shopify/Location/7002"
    eu = replace(eu, settings={"location_gid": f"{LOCATION}={gids}"})
    sap = replace(sap, settings=sap.settings | {"plant": f"{LOCATION}=1010, {SECOND}=1020"})
    return (
        eu, sap, wms, *rest,
        SystemSpec("woo-us", "woocommerce", "webhooks", {}, ("webhook_secret", "consumer_key", "consumer_secret")),
        SystemSpec("sap-2", "sap_s4", "", {"sold_to_party": "2000007", "plant": "2010", "company_code": "2010"}, ("user", "password")),
        SystemSpec(
            "wms-2", "manhattan_wms", "events", {"organisation": "ACME-US", "facility": SECOND, "gs1_prefix": "0614141"},
            ("client_id", "client_secret", "event_secret"),
        ),
        SystemSpec(
            "otm-1", "oracle_otm", "events", {"domain": "ACME"},
            ("client_id", "client_secret", "event_user", "event_password"),
        ),
        SystemSpec(
            "amazon-eu", "amazon_marketplace", "notifications",
            {"marketplace_id": "A1PA6795UKMFR9", "seller_id": "A2ACMEEU", "token_url": f"{OWN_URL}/auth/o2/token"},
            ("client_id", "client_secret", "refresh_token", "notification_key"),
        ),
        SystemSpec("mail-1", "email", "", {"sender": "orders@acme.example", "sender_name": "Acme", "starttls": "no"}),
    )  # fmt: skip


GROUP_POLICY: dict[str, Any] = {
    "shortage": "backorder", "address_needed": True, "unknown_item": "hold", "item_fetch": True,
    "master_authority": {"item": "sap-1"},
    "companies": {"Acme US": {"invoice_needs": ["goods_issue"], "unknown_item": "reject", "short_pick": "cancel"}},
}  # fmt: skip
GROUP_ROUTING: dict[str, Any] = {
    "nodes": {
        LOCATION: {"warehouse": "wms-1", "time_zone": "Europe/Amsterdam", "cut_offs": {"express": "17:00", "default": "15:00"}, "calendar": "nl"},
        SECOND: {"warehouse": "wms-2", "erp": "sap-2", "time_zone": "Europe/Berlin"},
    },
    "calendars": {"nl": {"closed": [date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)]}},
    "orders": [
        {"rule": "us company", "channel": ["woo-us"], "company": "Acme US", "erp": "sap-2", "nodes": [SECOND]},
        {"rule": "eu company", "company": "Acme EU", "erp": "sap-1", "nodes": [LOCATION, SECOND]},
    ],
    "transport": [
        {"rule": "heavy", "weight_above": 30, "by": "tms", "system": "otm-1"},
        {"rule": "parcels", "by": "parcel", "system": "ups-1"},
    ],
}  # fmt: skip
GROUP_CASES: list[dict[str, Any]] = [
    {
        "name": "the European shop is served from the first site, else from the second",
        "order": {"channel": "shopify-eu", "country": "NL", "at": "2026-11-27T15:30:00+01:00"},
        "expect": {"company": "Acme EU", "erp": "sap-1", "nodes": [LOCATION, SECOND], "ships_on": date(2026, 11, 30)},
    },
    {
        "name": "the American shop has its own ERP and site",
        "order": {"channel": "woo-us", "country": "US"},
        "expect": {"company": "Acme US", "erp": "sap-2", "nodes": [SECOND]},
    },
    {
        "name": "a pallet is tendered",
        "shipment": {"node": LOCATION, "country": "DE", "weight": 180},
        "expect": {"by": "tms", "system": "otm-1"},
    },
]  # fmt: skip


def write_group(
    folder: Path, *, hub_port: int, system_port: int, settings: dict[str, Any] | None = None
) -> None:
    """The landscape of two companies, with its routing tables and their cases."""
    write(
        folder, hub_port=hub_port, system_port=system_port, settings=settings, systems=group_specs(f"http://127.0.0.1:{hub_port}"),
        policy=GROUP_POLICY,
    )  # fmt: skip
    (folder / "routing.yaml").write_text(_HEADER + yaml.safe_dump(GROUP_ROUTING, sort_keys=False))
    cases = folder / "tests" / "routing"
    cases.mkdir(parents=True, exist_ok=True)
    (cases / "group.yaml").write_text(_HEADER + yaml.safe_dump(GROUP_CASES, sort_keys=False))


def write(
    folder: Path, *, hub_port: int, system_port: int, settings: dict[str, Any] | None = None,
    systems: tuple[SystemSpec, ...] = (), policy: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write the directory with fresh secrets. Refuses to touch an existing `hub.yaml`."""
    hub_file = folder / "hub.yaml"
    if hub_file.exists():
        raise FileExistsError(str(hub_file))
    (folder / "systems").mkdir(parents=True, exist_ok=True)
    private = folder / "secrets"
    private.mkdir(mode=0o700, exist_ok=True)
    (folder / ".gitignore").write_text("secrets/\n.crossdock/\n")
    chosen = systems or specs(f"http://127.0.0.1:{hub_port}")
    mail = [spec.name for spec in chosen if spec.connector == "email"]
    roles = {
        "erp": "sap-1", "warehouse": "wms-1", "carrier": "ups-1",
        "channels": [spec.name for spec in chosen if spec.name in CHANNELS],
        "notify": ["crm", "portal", *mail], "follow": ["sap-1", "crm", "portal"],
    }  # fmt: skip
    hub: dict[str, Any] = {
        "settings": {"port": hub_port} | (settings or {}),
        "roles": roles,
        "policy": {"location": LOCATION} | (policy or {}),
    }
    hub_file.write_text(_HEADER + yaml.safe_dump(hub, sort_keys=False))
    for place, spec in enumerate(chosen):
        scheme = "smtp" if spec.name in mail else "http"
        document: dict[str, Any] = {
            "name": spec.name, "connector": spec.connector, "base_url": f"{scheme}://127.0.0.1:{system_port + place}",
        }  # fmt: skip
        if spec.connector == "signed_webhook":
            document |= {"rate_per_second": 200.0, "burst": 200}  # our own CRM and portal: no partner's quota
        if spec.settings:
            own = str(document["base_url"])
            document["settings"] = {name: text.replace(OWN_URL, own) for name, text in spec.settings.items()}
        document["secrets"] = {name: _secret(folder, spec, name) for name in spec.secrets}
        (folder / "systems" / f"{spec.name}.yaml").write_text(
            _HEADER + yaml.safe_dump(document, sort_keys=False)
        )


def ask_shops(folder: Path, every_seconds: float) -> None:
    """Have every shop of a landscape asked what changed as often as that, not as its connector says."""
    for path in sorted((folder / "systems").glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        seconds = SOURCES.get(document["connector"], every_seconds)
        if document["connector"] in (*SHOPS, *SOURCES):
            path.write_text(
                _HEADER + yaml.safe_dump(document | {"backfill_seconds": seconds}, sort_keys=False)
            )


def compare_nightly(folder: Path) -> None:
    """Have the stock of every warehouse compared with the ledger each night."""
    for path in sorted((folder / "systems").glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        if document["connector"] == "manhattan_wms":
            path.write_text(_HEADER + yaml.safe_dump(document | {"snapshot_at": NIGHT}, sort_keys=False))


def _secret(folder: Path, spec: SystemSpec, name: str) -> str:
    value = secrets.token_urlsafe(24)
    if spec.connector == "signed_webhook":
        import base64

        value = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    path = folder / "secrets" / f"{spec.name}.{name}"
    path.touch(mode=0o600)
    path.write_text(value + "\n")
    return f"${{file:secrets/{path.name}}}"
