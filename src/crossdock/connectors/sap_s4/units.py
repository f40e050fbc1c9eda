"""Units of measure: the hub writes UN/ECE Recommendation 20, SAP the commercial units of an English system. Pure."""

from decimal import Decimal

_TO_SAP = {
    "C62": "EA", "H87": "PC", "DZN": "DZ",
    "KGM": "KG", "GRM": "G", "TNE": "TO", "LBR": "LB", "ONZ": "OZ",
    "LTR": "L", "MLT": "ML", "MTQ": "M3", "MTK": "M2", "MTR": "M", "CMT": "CM", "MMT": "MM",
    "XCT": "CAR", "XCS": "CS", "XBX": "BOX", "XPX": "PAL", "XBG": "BAG", "XBO": "BT", "XCA": "CAN", "XCR": "CRT",
    "XRO": "ROL", "XDR": "DR",
}  # fmt: skip
"""Others (EA, SET …) go as they are. Packages are X and their code of Recommendation 21."""
_FROM_SAP = {theirs: ours for ours, theirs in _TO_SAP.items() if theirs != "EA"}
_MILLIMETRES = {
    "MM": Decimal(1), "CM": Decimal(10), "DM": Decimal(100), "M": Decimal(1000),
    '"': Decimal("25.4"), "IN": Decimal("25.4"), "FT": Decimal("304.8"), "YD": Decimal("914.4"),
}  # fmt: skip


def sap_unit(unit: str) -> str:
    return _TO_SAP.get(unit, unit)


def to_unit(unit: str) -> str:
    """The canonical code of a commercial unit; `EA` is one in both."""
    return _FROM_SAP.get(unit, unit)


def to_millimetres(value: Decimal | None, unit: str) -> Decimal | None:
    """Exact; None where SAP says nothing (zero), or says it in a unit that is no length."""
    factor = _MILLIMETRES.get(unit.upper())
    return value * factor if value and factor is not None else None
