"""What the simulated floor really picks and packs: less, more, something else, or in pieces."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from crossdock.connect.twin import Quirks
from crossdock.connectors.manhattan_wms.twin_stock import Line, Stock


def pick(
    lines: Sequence[Line], stock: Stock, quirks: Quirks, substitutes: Mapping[str, str]
) -> tuple[list[Line], list[Line]]:
    """What is in the tote, and what was not found. The stock's allocations follow."""
    picked = [dict(line) for line in lines]
    if quirks.hits("substitute"):
        picked = [_substituted(line, stock, substitutes) for line in picked]
    missing: list[Line] = []
    if quirks.hits("short_pick"):
        found, gone = _halves(picked.pop())
        missing.append(gone)
        picked += [found] if Decimal(found["quantity"]) else []
        stock.remove(missing)
    elif quirks.hits("over_pick"):
        picked[0] = _one_more(picked[0], stock)
    return picked, missing


def in_two(lines: Sequence[Line]) -> list[list[Line]]:
    """Two piles: by lines where there are several, by quantity where there is one; one pile of a single piece."""
    if len(lines) > 1:
        middle = (len(lines) + 1) // 2
        return [list(lines[:middle]), list(lines[middle:])]
    first, rest = _halves(lines[0])
    return [[half] for half in (first, rest) if Decimal(half["quantity"])]


def _halves(line: Line) -> tuple[Line, Line]:
    """Pieces stay whole: the first half is rounded down."""
    whole = Decimal(line["quantity"])
    half = whole / 2 if line["unit"] in ("KG", "KGM") else whole // 2
    return {**line, "quantity": f"{half:f}"}, {**line, "quantity": f"{whole - half:f}"}


def _one_more(line: Line, stock: Stock) -> Line:
    if not stock.claim([{**line, "quantity": "1"}]):
        return line
    return {**line, "quantity": f"{Decimal(line['quantity']) + 1:f}"}


def _substituted(line: Line, stock: Stock, substitutes: Mapping[str, str]) -> Line:
    other = {**line, "item": substitutes.get(line["item"], line["item"])}
    if other == line or not stock.claim([other]):
        return line
    stock.release([line])
    return other
