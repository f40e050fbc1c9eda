"""The packing desk: a label is torn while its parcel waits for the truck, and another is asked for."""

from typing import Any

from crossdock.demo.stage import Stage, say, until

WAREHOUSE, CARRIER = "wms-1", "ups-1"


async def tear(stage: Stage, reference: str) -> None:
    """The first labelled parcel of this order gets a new label; carrier and warehouse know of the late truck alike."""
    await _trucks(stage, late=True)

    async def waiting() -> Any:
        return next(
            (x for x in await stage.twins.get(WAREHOUSE, "/_twin/shipments") if _waits(x, reference)), None
        )

    shipment = f"{WAREHOUSE}/{(await until(waiting))['shipment']}"
    asked = {"by": "packing desk", "reason": "it is torn"}
    await say(
        stage, "packing-desk", f"shipment/{shipment}", "label.reprintRequested.v1", asked, f"{shipment}-torn"
    )

    async def gone() -> bool:
        left = any(
            x["status"] == "departed" and shipment == f"{WAREHOUSE}/{x['shipment']}"
            for x in await stage.twins.get(WAREHOUSE, "/_twin/shipments")
        )
        parcels = await stage.twins.get(CARRIER, "/_twin/parcels")
        return left and any(
            x["reference"].partition("~")[0] == shipment and x["subscribed"] and not x["voided"]
            for x in parcels
        )

    await until(gone)
    await _trucks(stage, late=False)


def _waits(shipment: dict[str, Any], reference: str) -> bool:
    """Labelled, or gone: whoever looks too late asks too late, as people do."""
    stands = shipment["status"] in ("labelled", "loaded", "departed")
    return stands and any(x["reference"].partition("~")[0] == reference for x in shipment["lines"])


async def _trucks(stage: Stage, *, late: bool) -> None:
    for system in (WAREHOUSE, CARRIER):
        await stage.twins.send_surely("PUT", system, "/_twin/quirks", {"late_truck": float(late)})
