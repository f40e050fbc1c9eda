"""The simulated carriers: asked in order of price they accept or decline, travel, deliver, and are billed.

What is due stands in the books as `due` documents (the key sorts by time): a killed twin simply goes on.
"""

import json
import random
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from crossdock.connect.twin import Twin
from crossdock.connectors.oracle_otm import notices
from crossdock.connectors.oracle_otm.twin_billing import charges_of
from crossdock.connectors.oracle_otm.twin_post import Post

STEPS_PER_TICK_MAX = 200
HAND_OVER_PACES = 3
BILL_PACES = 2
RATES: Final = {
    "EXLA": (Decimal("62.00"), Decimal("0.21")),
    "ODFL": (Decimal("48.00"), Decimal("0.33")),
    "RDWY": (Decimal("55.00"), Decimal("0.27")),
    "SAIA": (Decimal("51.00"), Decimal("0.36")),
}
"""Carrier → price of a load and of each kilogram."""
EXPRESS_FACTOR = Decimal("1.6")
WAY: Final = (
    # Status code, state of the load (empty: as it was), place, and whether the carrier names its clock's offset.
    ("AF", "picked_up", "Bonn", True),
    ("X6", "in_transit", "Bonn", True),
    ("AG", "", "", True),
    ("X4", "arrived", "Cologne", False),
    ("OA", "out_for_delivery", "Cologne", True),
    ("D1", "delivered", "Cologne", True),
)
BEFORE_PICKUP = ("tendered", "accepted", "no_resources", "cancelled")
ESTIMATE = timedelta(days=1)
Load = dict[str, Any]


class Network:
    """All methods but `work` are called inside a change of the books."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.books = twin.books
        self.post = Post(twin)
        self.domain = self.post.domain

    def setting(self, name: str, default: str) -> str:
        return self.twin.setup.settings.get(name) or default

    async def work(self) -> None:
        """Do every step that is due, each in its own change."""
        due = self.books.rows(
            "select key, body from document where kind = 'due' and key <= ? order by key limit ?",
            _moment(time.time()),
            STEPS_PER_TICK_MAX,
        )
        for key, body in due:
            with self.books.change():
                self.books.remove("due", key)
                self._step(json.loads(body))

    def take(self, gid: str, reference: str, weight: Decimal, *, service: str) -> None:
        """Plan a new release and offer it to the cheapest carrier."""
        factor = EXPRESS_FACTOR if service.endswith("EXPRESS") else Decimal(1)
        prices = {
            scac: ((base + per_kg * weight) * factor).quantize(Decimal("0.01"))
            for scac, (base, per_kg) in RATES.items()
        }
        load = {
            "gid": gid, "reference": reference, "weight": str(weight), "status": "tendered", "version": 1,
            "shipment": f"{self.domain}.{self.books.next_number('shipment', 10001)}", "carrier": "", "pro": "",
            "prices": {scac: str(price) for scac, price in prices.items()}, "asked": [], "next": 0,
            "departed": False, "on_its_way": False,
        }  # fmt: skip
        self.books.put("load", gid, load)
        if reference:
            self.books.put(
                "by_reference", reference, [*(self.books.get("by_reference", reference) or []), gid]
            )
        self.books.journal("load.tender", reference, gid)
        self._later(gid, "answer", 1)

    def cancel(self, load: Load) -> bool:
        """False where the carrier has the goods already."""
        if load["status"] not in BEFORE_PICKUP:
            return False
        if load["status"] != "cancelled":
            self._store(load, status="cancelled")
            self.books.journal("load.cancel", load["reference"], load["gid"])
        return True

    def depart(self, reference: str) -> None:
        """The goods left the building: the carrier has them as soon as it has accepted."""
        for gid in self.books.get("by_reference", reference) or []:
            load = self.books.get("load", gid)
            self._store(load, departed=True)
            self._start(self.books.get("load", gid))

    def _step(self, due: dict[str, str]) -> None:
        load = self.books.get("load", due["load"])
        match due["step"]:
            case "answer" if load["status"] == "tendered":
                self._answer(load)
            case "move" if load["status"] not in ("cancelled", "delivered"):
                self._move(load)
            case "bill":
                self._bill(load)
            case _:
                # A cancelled load leaves its next step behind; there is nothing to do.
                return

    def _answer(self, load: Load) -> None:
        """The cheapest carrier that was not asked yet says yes or no."""
        prices = {scac: Decimal(price) for scac, price in load["prices"].items()}
        left = sorted((price, scac) for scac, price in prices.items() if scac not in load["asked"])
        price, carrier = left[0]
        if self.twin.quirks.hits("carrier_declines"):
            exhausted = len(left) == 1
            status = "no_resources" if exhausted else "tendered"
            load = self._store(load, asked=[*load["asked"], carrier], carrier=carrier, status=status)
            said = notices.NO_RESOURCES if exhausted else notices.DECLINED
            self.post.shipment(load, said, {"declineReasonCodeGid": f"{self.domain}.EQUIPMENT"})
            self.books.journal("load.declined", load["reference"], carrier, {"exhausted": exhausted})
            if not exhausted:
                self._later(load["gid"], "answer", 1)
            return
        pro = f"{self.books.next_number('pro', 7_300_001):010d}"
        load = self._store(load, carrier=carrier, pro=pro, status="accepted")
        pickup = self.post.local(time.time() + HAND_OVER_PACES * self.twin.setup.pace_seconds)
        cost = {"value": float(price), "currency": self.setting("currency", "EUR")}
        more = {"totalActualCost": cost, "startTime": {"value": pickup}}
        self.post.shipment(load, notices.ACCEPTED, more)
        self.books.journal(
            "load.accepted", load["reference"], pro, {"carrier": carrier, "freight": str(price)}
        )
        self._start(load)

    def _start(self, load: Load) -> None:
        waits = self.setting("pickup", "") == "on_departure"
        if load["status"] != "accepted" or load["on_its_way"] or (waits and not load["departed"]):
            return
        load = self._store(load, on_its_way=True)
        self._later(load["gid"], "move", 1 if waits else HAND_OVER_PACES)

    def _move(self, load: Load) -> None:
        code, status, city, names_offset = WAY[load["next"]]
        load = self._store(load, next=load["next"] + 1, status=status or load["status"])
        now = datetime.fromtimestamp(time.time(), UTC)
        at = now + ESTIMATE if code == "AG" else now
        self.post.status(load, code, self.post.local(at.timestamp(), with_offset=names_offset), city)
        self.books.journal("scan", load["reference"], code, {"pro": load["pro"]})
        if load["next"] < len(WAY):
            self._later(load["gid"], "move", 1)
            return
        self.books.journal("shipment.delivered", load["reference"], load["pro"])
        self._later(load["gid"], "bill", BILL_PACES)

    def _bill(self, load: Load) -> None:
        """The carrier's bill, and what the quirks make of it."""
        hits = self.twin.quirks.hits
        dice = random.Random(f"{self.twin.setup.seed}:{load['gid']}")  # reproducible mischief, not a secret
        lines = charges_of(
            load,
            per_kg=RATES[load["carrier"]][1],
            dice=dice,
            reweighed=hits("reweighed"),
            reweigh_code=self.setting("reweigh_code", "RWT"),
        )
        copies = 2 if hits("duplicate_freight_bill") else 1
        for _ in range(2 if hits("double_billed") else 1):
            number = f"{load['carrier']}-{self.books.next_number('invoice', 50_001)}"
            total = sum((line.amount for line in lines), Decimal(0))
            currency = self.setting("currency", "EUR")
            self.books.journal(
                "freight.invoiced", load["reference"], number, {"amount": str(total), "currency": currency}
            )
            for _ in range(copies):
                self.post.invoice(load, number, lines, currency)

    def _store(self, load: Load, **changes: Any) -> Load:
        changed = {**load, **changes, "version": load["version"] + 1}
        self.books.put("load", load["gid"], changed)
        return changed

    def _later(self, gid: str, step: str, paces: int) -> None:
        at = time.time() + paces * self.twin.setup.pace_seconds
        self.books.put("due", f"{_moment(at)}:{gid}", {"load": gid, "step": step})


def _moment(at: float) -> str:
    return f"{at:017.6f}"
