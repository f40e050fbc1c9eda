"""How the simulated WMS answers: its envelope, its refusals, and the checks of a field."""

from decimal import Decimal, InvalidOperation
from typing import Any

from aiohttp import web


class No(Exception):  # an answer, not an error of ours
    """A refusal in the WMS's words."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.answer = reply(None, (code, description), status)


def reply(
    data: Any, complaint: tuple[str, str] | None = None, status: int = 200, more: dict[str, Any] | None = None
) -> web.Response:
    messages = [{"Type": "ERROR", "Code": complaint[0], "Description": complaint[1]}] if complaint else []
    body = {
        "success": complaint is None,
        "data": data,
        "messages": {"Message": messages, "Size": len(messages)},
        **(more or {}),
    }
    return web.json_response(body, status=status)


def required(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise No("FIELD_MISSING", f"{name} is required")
    return value


def decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise No("QUANTITY_INVALID", "OrderedQuantity is not a number") from None
