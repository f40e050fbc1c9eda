"""The exchanges of one call with the GraphQL Admin API, in its time; every trouble is raised as `Ended`."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from crossdock.connect.contract import Account, Refused, RetryLater, Unknown
from crossdock.connect.transport import NoAnswer, NotSent, Transport
from crossdock.connectors.shopify.answers import Ended, data_of, unclear
from crossdock.connectors.shopify.queries import API_VERSION
from crossdock.connectors.shopify.replies import Order, OrderData

LEAST_SECONDS: Final = 0.5
"""A mutation that is begun with less time left would only end as unknown."""
NOT_FOUND: Final = "not-found"
D = TypeVar("D", bound=msgspec.Struct)


class Talk:
    """Asks and tells, and reads answers into the shape that the caller names."""

    def __init__(self, account: Account, transport: Transport, *, seconds: float) -> None:
        self._transport = transport
        self._url = f"{account.base_url.rstrip('/')}/admin/api/{API_VERSION}/graphql.json"
        self._headers = {
            "content-type": "application/json",
            "x-shopify-access-token": account.secrets["access_token"],
        }
        self._until = asyncio.get_running_loop().time() + seconds

    async def ask(self, shape: type[D], document: str, variables: Mapping[str, Any]) -> D:
        """A query: nothing is booked, whatever happens."""
        return await self._exchange(shape, document, variables, writes=False)

    async def tell(self, shape: type[D], document: str, variables: Mapping[str, Any]) -> D:
        """A mutation: without a readable answer it may have been done."""
        return await self._exchange(shape, document, variables, writes=True)

    async def order(self, document: str, gid: str) -> Order:
        found = (await self.ask(OrderData, document, {"id": gid})).order
        if found is None:
            raise Ended(Refused(code=NOT_FOUND, reason=f"Shopify has no order {gid}"))
        return found

    async def _exchange(
        self, shape: type[D], document: str, variables: Mapping[str, Any], *, writes: bool
    ) -> D:
        left = self._until - asyncio.get_running_loop().time()
        if left < LEAST_SECONDS:
            raise Ended(RetryLater(reason="no time left to ask Shopify"))
        body = msgspec.json.encode({"query": document, "variables": variables})
        try:
            answer = await self._transport.request(
                "POST", self._url, headers=self._headers, body=body, timeout_seconds=left
            )
            return msgspec.convert(data_of(answer, writes=writes), shape)
        except NotSent as error:
            raise Ended(RetryLater(reason=str(error))) from None
        except NoAnswer as error:
            raise Ended(Unknown(reason=str(error)) if writes else RetryLater(reason=str(error))) from None
        except msgspec.ValidationError as error:
            raise Ended(unclear(f"an answer of another shape: {error}", writes=writes)) from None
