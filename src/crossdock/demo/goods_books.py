"""Comparing the books of goods that came in, went between sites, or came back: what was counted is what was booked."""

from decimal import Decimal
from typing import Any

from crossdock.demo.books import Books, Findings
from crossdock.demo.goods import ADJUSTED
from crossdock.demo.trade import COUNTED_ITEM


def compare(books: Books, findings: Findings) -> None:
    """Goods in, between and back: what a warehouse counted, its ERP booked, once and no other quantity."""
    for wms, erp in (("wms-1", "sap-1"), ("wms-2", "sap-2")):
        counted: dict[str, Decimal] = {}
        for row in books.rows(wms, "inbound.received"):
            if row["reference"].partition("/")[0] in ("inbound", "transfer"):
                counted[row["key"]] = sum(
                    (Decimal(x["Quantity"]) for x in row["detail"]["lines"]), Decimal(0)
                )
        for row in books.rows(wms, "return.inspected"):
            counted[row["key"]] = sum((Decimal(x["Quantity"]) for x in row["detail"]["lines"]), Decimal(0))
        _tie(findings, erp, counted, books.rows(erp, "goods_receipt.post"), "goods_receipt.post")
    sent = {
        row["key"]: sum((Decimal(x["quantity"]) for x in row["detail"]["lines"]), Decimal(0))
        for row in books.rows("wms-1", "transfer.shipped")
    }
    _tie(findings, "sap-1", sent, books.rows("sap-1", "transfer_issue.post"), "transfer_issue.post")
    _adjusted(books, findings)
    inspected, credited = books.rows("wms-1", "return.inspected"), books.rows("sap-1", "credit.post")
    if len(inspected) != len(credited):
        findings.differences.append(
            f"{len(inspected)} returns were inspected, sap-1 has {len(credited)} credits"
        )


def _adjusted(books: Books, findings: Findings) -> None:
    """What was told of the first site's counts and holds stands in its ERP once each, and nothing else of them does."""
    told = sorted(str(abs(amount)) for _, amount, _ in ADJUSTED)
    rows = [x["detail"]["quantities"] for x in books.rows("sap-1", "stock_adjustment.post")]
    booked = sorted(x[COUNTED_ITEM] for x in rows if COUNTED_ITEM in x)
    if told != booked:
        findings.differences.append(f"sap-1: {COUNTED_ITEM} was adjusted by {told}, booked are {booked}")


def _tie(
    findings: Findings, erp: str, counted: dict[str, Decimal], booked: list[dict[str, Any]], effect: str
) -> None:
    posted: dict[str, list[Decimal]] = {}
    for row in booked:
        total = sum((Decimal(x) for x in row["detail"]["quantities"].values()), Decimal(0))
        posted.setdefault(row["reference"], []).append(total)
    for name, quantity in counted.items():
        found = posted.pop(name, [])
        if not found:
            findings.lost.append(f"{erp} has no {effect} for {name}")
        elif len(found) > 1:
            findings.doubled.append(f"{erp}: {effect} for {name}, {len(found)} times")
        elif found[0] != quantity:
            findings.differences.append(f"{erp}: {effect} for {name} of {found[0]}, {quantity} counted")
    findings.differences += [f"{erp}: {effect} for {name}, which nobody counted" for name in posted]
