"""The product master: what SAP answers to `item.fetch`, and the item made of it."""

import re
from decimal import Decimal
from typing import Literal

import msgspec

from crossdock.connect.contract import Call, Done, Refused
from crossdock.connect.reading import read
from crossdock.connectors.sap_s4.edm import milliseconds
from crossdock.connectors.sap_s4.plans import ItemPlan
from crossdock.connectors.sap_s4.session import Ask, Errand, Session, Stop, error_code, in_path
from crossdock.connectors.sap_s4.units import to_millimetres, to_unit
from crossdock.errors import Rejected
from crossdock.model.master import ItemDefined, ItemUnit
from crossdock.model.quantity import ZERO, Quantity

SERVICE = "/sap/opu/odata/sap/API_PRODUCT_SRV"
EXPAND = "to_Description,to_Plant,to_ProductUnitsOfMeasure"
LANGUAGE = "EN"
PRODUCT_LENGTH_MAX = 40
_GTIN = re.compile(r"\d{8}|\d{12,14}")
_GATEWAY = "/IWFND/"
"""Error codes of the gateway itself: the service is not there, which says nothing of the product."""
Text = str | None


class Description(msgspec.Struct, frozen=True, rename="pascal"):
    language: Text = ""
    product_description: Text = ""


class Descriptions(msgspec.Struct, frozen=True):
    results: tuple[Description, ...] = ()


class Plant(msgspec.Struct, frozen=True, rename="pascal"):
    plant: str
    is_marked_for_deletion: bool | None = None
    is_batch_management_required: bool | None = None
    serial_number_profile: Text = ""


class Plants(msgspec.Struct, frozen=True):
    results: tuple[Plant, ...] = ()


class Unit(msgspec.Struct, frozen=True, rename="pascal"):
    """`quantity_numerator / quantity_denominator` base units are one `alternative_unit`."""

    alternative_unit: str
    quantity_numerator: Decimal
    quantity_denominator: Decimal
    global_trade_item_number: Text = ""
    unit_specific_product_length: Decimal | None = None
    unit_specific_product_width: Decimal | None = None
    unit_specific_product_height: Decimal | None = None
    product_measurement_unit: Text = ""


class Units(msgspec.Struct, frozen=True):
    results: tuple[Unit, ...] = ()


class Product(msgspec.Struct, frozen=True, rename="pascal"):
    product: str
    base_unit: str
    cross_plant_status: Text = ""
    is_marked_for_deletion: bool | None = None
    is_batch_management_required: bool | None = None
    gross_weight: Decimal | None = None
    weight_unit: Text = ""
    product_standard_id: Text = msgspec.field(default="", name="ProductStandardID")
    last_change_date_time: Text = ""
    descriptions: Descriptions = msgspec.field(default=Descriptions(), name="to_Description")
    plants: Plants = msgspec.field(default=Plants(), name="to_Plant")
    units: Units = msgspec.field(default=Units(), name="to_ProductUnitsOfMeasure")


async def fetch(session: Session, errand: Errand, call: Call) -> Done:
    """Done without a receipt where SAP has no such product: who waits for it has a case already."""
    plan = read(ItemPlan, call.body)
    if len(plan.product) > PRODUCT_LENGTH_MAX:
        return Done(document="")
    path = f"A_Product({in_path(plan.product)})"
    ask = Ask(service=SERVICE, path=path, query={"$expand": EXPAND}, expect=(404,))
    answer = await session.ask(errand, ask)
    if answer.status == 404:
        code = error_code(answer)
        if not code or code.startswith(_GATEWAY):
            raise Stop(session.verdict(errand, ask, answer))
        return Done(document="", answer=answer.body)
    product = session.entity(errand, ask, answer, Product)
    try:
        item = to_item(product, plan)
    except Rejected as error:
        raise Stop(Refused(code="product", reason=f"product {product.product}: {error}")) from None
    return Done(document=product.product, receipt=item, answer=answer.body, sequence=changed_at(product))


def changed_at(product: Product) -> int | None:
    """Milliseconds since 1970 of the last change; None where this release of SAP does not say it."""
    return milliseconds(product.last_change_date_time)


def to_item(product: Product, plan: ItemPlan) -> ItemDefined:
    """Raises `Rejected` where a conversion of units is none."""
    plants = [x for x in product.plants.results if not plan.plants or x.plant in plan.plants]
    base = next((x for x in product.units.results if x.alternative_unit == product.base_unit), None)
    unit = (base.product_measurement_unit or "") if base else ""
    return ItemDefined(
        item=product.product,
        description=_description(product),
        base_unit=to_unit(product.base_unit),
        units=tuple(_to_unit(x, product) for x in product.units.results),
        tracked_by=_tracked_by(product, plants),
        weight=_weight(product),
        length=to_millimetres(base.unit_specific_product_length, unit) if base else None,
        width=to_millimetres(base.unit_specific_product_width, unit) if base else None,
        height=to_millimetres(base.unit_specific_product_height, unit) if base else None,
        status="discontinued" if _is_discontinued(product, plants, plan) else "active",
    )


def _description(product: Product) -> str:
    """In English, else in the first language there is."""
    rows = {x.language: x.product_description or "" for x in product.descriptions.results}
    return rows.get(LANGUAGE) or next((text for text in rows.values() if text), "")


def _to_unit(row: Unit, product: Product) -> ItemUnit:
    numbers = (row.quantity_numerator, row.quantity_denominator)
    if not all(x.is_finite() and x > 0 and x == x.to_integral_value() for x in numbers):
        path = f"/to_ProductUnitsOfMeasure/{row.alternative_unit}"
        raise Rejected(path, f"{numbers[0]} / {numbers[1]} is no conversion to {product.base_unit}", "unit")
    gtin = row.global_trade_item_number or ""
    if not gtin and row.alternative_unit == product.base_unit:
        gtin = product.product_standard_id or ""
    return ItemUnit(
        unit=to_unit(row.alternative_unit),
        numerator=int(numbers[0]),
        denominator=int(numbers[1]),
        gtin=gtin if _GTIN.fullmatch(gtin) else "",
    )


def _tracked_by(product: Product, plants: list[Plant]) -> Literal["", "lot", "serial"]:
    """Serial numbers are the finer of the two; batches may be required everywhere or in one plant."""
    if any(x.serial_number_profile for x in plants):
        return "serial"
    batches = product.is_batch_management_required or any(x.is_batch_management_required for x in plants)
    return "lot" if batches else ""


def _weight(product: Product) -> Quantity | None:
    weight = product.gross_weight or ZERO
    return Quantity(weight, to_unit(product.weight_unit)) if weight > 0 and product.weight_unit else None


def _is_discontinued(product: Product, plants: list[Plant], plan: ItemPlan) -> bool:
    """Marked for deletion altogether or in all of our plants, or by a status that the account names."""
    ended = bool(plants) and all(x.is_marked_for_deletion for x in plants)
    return bool(product.is_marked_for_deletion) or ended or product.cross_plant_status in plan.discontinued
