"""`goods-issue reverse`: have the goods issues of a shipment taken back in the ERP."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from crossdock.cli.cases import POLICY
from crossdock.cli.hub import HubOption, JsonOption, note
from crossdock.client import Client, Refused


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Goods issues in the ERP.", no_args_is_help=True)
    group.command()(reverse)
    app.add_typer(group, name="goods-issue")


def reverse(
    shipment: Annotated[str, typer.Argument(metavar="SHIPMENT", help="As wms-1/S-77.")],
    hub: HubOption = Path(),
    *,
    reason: Annotated[str, typer.Option(help="Why; it stands in the story.")],
    never_left: Annotated[
        bool, typer.Option("--never-left", help="Its departure was told and did not happen.")
    ] = False,
    posting_on: Annotated[
        str, typer.Option(help="The day of the reversal, as 2026-12-01; today by default.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Reverse the goods issues of a shipment; where policy wants two people, the second one's word counts."""
    body = {"reason": reason, "never_left": never_left} | ({"posting_on": posting_on} if posting_on else {})
    try:
        said = asyncio.run(_ask(hub, shipment.removeprefix("shipment/"), body))
    except Refused as error:
        note(f"error: {error}")
        raise typer.Exit(4 if error.status in POLICY else 1) from None
    waits = ": a second person must ask for it too" if said["state"] == "asked" else ""
    sys.stdout.write((json.dumps(said) if as_json else f"{said['shipment']}: {said['state']}{waits}") + "\n")


async def _ask(hub: Path, shipment: str, body: dict[str, Any]) -> Any:
    async with Client(hub) as client:
        return await client.post(f"/v1/shipments/reverse-goods-issue/{shipment}", body)
