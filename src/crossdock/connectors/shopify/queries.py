"""The GraphQL documents we send, one per question; everything that varies is a variable."""

from typing import Final

API_VERSION: Final = "2026-07"

SHOP: Final = "query Shop($location: ID!) { shop { name } location(id: $location) { name isActive } }"

ORDER_STATE: Final = "query OrderState($id: ID!) { order(id: $id) { id name cancelledAt } }"

ORDER_SHIPPED: Final = """
query OrderShipped($id: ID!) {
  order(id: $id) {
    id name
    fulfillments(first: 100) { id name status trackingInfo(first: 20) { number } }
  }
}"""

ORDER_OPEN: Final = """
query OrderOpen($id: ID!) {
  order(id: $id) {
    id name
    fulfillments(first: 100) { id name status trackingInfo(first: 20) { number } }
    fulfillmentOrders(first: 10) {
      nodes {
        id status
        assignedLocation { location { id } }
        lineItems(first: 40) {
          nodes { id remainingQuantity lineItem { id } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
}"""

MORE_LINES: Final = """
query MoreLines($id: ID!, $after: String) {
  fulfillmentOrder(id: $id) {
    lineItems(first: 200, after: $after) {
      nodes { id remainingQuantity lineItem { id } }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""

FULFIL: Final = """
mutation Fulfil($fulfillment: FulfillmentInput!, $message: String) {
  fulfillmentCreate(fulfillment: $fulfillment, message: $message) {
    fulfillment { id name status }
    userErrors { field message }
  }
}"""

ITEM: Final = "query Item($query: String!) { inventoryItems(first: 10, query: $query) { nodes { id sku } } }"

SET_AVAILABLE: Final = """
mutation SetAvailable($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}"""

CANCEL: Final = """
mutation Cancel(
  $id: ID!, $reason: OrderCancelReason!, $refund: OrderCancelRefundMethodInput!
  $restock: Boolean!, $note: String
) {
  orderCancel(
    orderId: $id, reason: $reason, refundMethod: $refund
    restock: $restock, notifyCustomer: false, staffNote: $note
  ) {
    job { id done }
    orderCancelUserErrors { code field message }
  }
}"""
