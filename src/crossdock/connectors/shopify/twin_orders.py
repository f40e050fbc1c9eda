"""The twin's `orders.json` of the REST Admin API: orders by when they were updated, with cursors in `Link`."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from crossdock.connectors.shopify.queries import API_VERSION
from crossdock.connectors.shopify.twin_shop import Shop, order_document

PATH: Final = f"/admin/api/{API_VERSION}/orders.json"
LIMIT_MAX: Final = 250
BESIDE_CURSOR: Final = {"page_info", "limit", "fields"}
"""Whatever else was asked stands in the cursor; giving it again is an error."""
STATUSES: Final = ("any", "open", "closed", "cancelled")
Tree = dict[str, Any]


def orders(shop: Shop, request: web.Request) -> web.Response:
    """Without `status` only open orders are listed, as Shopify does; the newest come first unless `order` says otherwise."""
    token = shop.twin.setup.secrets["access_token"].encode()
    if not hmac.compare_digest(request.headers.get("x-shopify-access-token", "").encode(), token):
        return web.json_response({"errors": "[API] Invalid API key or access token"}, status=401)
    try:
        asked, after = _asked(request.query)
        limit = int(request.query.get("limit", "50"))
        if not 1 <= limit <= LIMIT_MAX:
            raise ValueError("limit")
        found = _matching(shop, asked)
    except (ValueError, KeyError, binascii.Error) as error:
        return web.json_response({"errors": {"query": f"invalid: {error}"}}, status=400)
    if after:
        found = [x for x in found if _place(x) > (datetime.fromisoformat(after[0]), after[1])]
    page, rest = found[:limit], found[limit:]
    headers = {"X-Shopify-Shop-Api-Call-Limit": "1/40"}
    if rest:
        cursor = json.dumps([asked, [page[-1]["updated_at"], page[-1]["id"]]])
        query = urlencode({"limit": limit, "page_info": base64.urlsafe_b64encode(cursor.encode()).decode()})
        headers["Link"] = f'<https://{shop.twin.setup.system}.myshopify.com{PATH}?{query}>; rel="next"'
    return web.json_response({"orders": page}, headers=headers)


def _asked(query: Mapping[str, str]) -> tuple[dict[str, str], list[Any]]:
    """(the conditions, the place of the last order shown)."""
    if "page_info" not in query:
        return {name: query[name] for name in ("status", "order", "updated_at_min") if name in query}, []
    if beside := sorted(set(query) - BESIDE_CURSOR):
        raise ValueError(f"{beside[0]} cannot be passed with page_info")
    conditions, after = json.loads(base64.urlsafe_b64decode(query["page_info"]))
    return conditions, after


def _matching(shop: Shop, asked: Mapping[str, str]) -> list[Tree]:
    status = asked.get("status", "open")
    if status not in STATUSES:
        raise ValueError("status")
    found = [order_document(order) for _, order in shop.books.all("order")]
    if status != "any":
        found = [x for x in found if bool(x["cancelled_at"]) == (status == "cancelled")]
    if "updated_at_min" in asked:
        least = datetime.fromisoformat(asked["updated_at_min"])
        found = [x for x in found if datetime.fromisoformat(x["updated_at"]) >= least]
    found.sort(key=_place, reverse=asked.get("order", "updated_at desc") != "updated_at asc")
    return found


def _place(order: Tree) -> tuple[datetime, int]:
    return datetime.fromisoformat(order["updated_at"]), order["id"]
