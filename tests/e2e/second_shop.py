"""A WooCommerce shop beside the landscape of `crossdock init`, as one adds it: a file for the system, its secrets, its role."""

import socket
from pathlib import Path

import yaml

NAME = "woo-eu"
SECRETS = ("webhook_secret", "consumer_key", "consumer_secret")


def add_second_shop(directory: Path) -> None:
    """`systems/woo-eu.yaml` with secrets beside it, and a channel more in `hub.yaml`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    system = {"name": NAME, "connector": "woocommerce", "base_url": f"http://127.0.0.1:{port}", "secrets": {}}
    for name in SECRETS:
        (directory / "secrets" / f"{NAME}.{name}").write_text(f"{name} of the shop\n")
        system["secrets"][name] = f"${{file:secrets/{NAME}.{name}}}"
    (directory / "systems" / f"{NAME}.yaml").write_text(yaml.safe_dump(system))
    hub = yaml.safe_load((directory / "hub.yaml").read_text())
    hub["roles"]["channels"].append(NAME)
    (directory / "hub.yaml").write_text(yaml.safe_dump(hub))
