"""The vocabulary: every event type with its shape, and every effect kind with its payload.

Types only grow. A changed meaning is a new name or a new version; `tests/unit/model/samples/` holds one stored
sample of every shape ever written, and each must load for ever.
"""

from typing import Final

import msgspec

from crossdock.model import master, movement, operations, order, requests, returning, serial, shipment, stock

TYPE_PREFIX: Final = "crossdock.logistics."

EVENTS: Final[dict[str, type[msgspec.Struct]]] = {
    "order.received.v1": order.OrderReceived,
    "order.cancelRequested.v1": order.OrderCancelRequested,
    "order.checked.v1": order.OrderChecked,
    "order.creditReleased.v1": order.CreditReleased,
    "order.released.v1": order.OrderReleased,
    "order.allocated.v1": order.OrderAllocated,
    "order.cancellationAnswered.v1": order.CancellationAnswered,
    "order.packed.v1": order.LinesPacked,
    "order.shortPicked.v1": order.LinesShort,
    "order.unpacked.v1": order.LinesUnpacked,
    "order.shipped.v1": order.LinesShipped,
    "order.shippedElsewhere.v1": order.ShippedElsewhere,
    "order.delivered.v1": order.LinesDelivered,
    "order.undeliverable.v1": order.LinesUndeliverable,
    "order.returnAsked.v1": returning.ReturnAsked,
    "order.held.v1": order.HoldPlaced,
    "order.holdReleased.v1": order.HoldReleased,
    "salesOrder.posted.v1": order.SalesOrderPosted,
    "salesOrder.changed.v1": order.SalesOrderChanged,
    "salesOrder.cancelled.v1": order.SalesOrderCancelled,
    "reservation.updated.v1": order.ReservationUpdated,
    "fulfilment.created.v1": order.FulfilmentCreated,
    "fulfilment.cancelled.v1": order.FulfilmentCancelled,
    "invoice.released.v1": order.InvoiceReleased,
    "shipment.packed.v1": shipment.ShipmentPacked,
    "shipment.departed.v1": shipment.ShipmentDeparted,
    "shipment.cancelled.v1": shipment.ShipmentCancelled,
    "shipment.milestoneReached.v1": shipment.MilestoneReached,
    "shipment.milestoneRecorded.v1": shipment.MilestoneRecorded,
    "label.generated.v1": shipment.LabelGenerated,
    "label.attached.v1": shipment.LabelAttached,
    "label.voided.v1": shipment.LabelVoided,
    "label.reprintRequested.v1": shipment.LabelReprintRequested,
    "load.tendered.v1": shipment.LoadTendered,
    "load.accepted.v1": shipment.LoadAccepted,
    "load.declined.v1": shipment.LoadDeclined,
    "load.cancelled.v1": shipment.LoadCancelled,
    "tracking.subscribed.v1": shipment.TrackingSubscribed,
    "goodsIssue.posted.v1": shipment.GoodsIssuePosted,
    "goodsIssue.reversalRequested.v1": shipment.GoodsIssueReversalRequested,
    "goodsIssue.reversed.v1": shipment.GoodsIssueReversed,
    "freight.accrued.v1": shipment.FreightAccrued,
    "freight.invoiced.v1": shipment.FreightInvoiced,
    "freight.approved.v1": shipment.FreightApproved,
    "freight.adjusted.v1": shipment.FreightAdjusted,
    "customer.notified.v1": shipment.Notified,
    "return.authorised.v1": returning.ReturnAuthorised,
    "return.identified.v1": returning.ReturnIdentified,
    "return.cancelled.v1": returning.ReturnCancelled,
    "return.matched.v1": returning.ReturnMatched,
    "return.dispositioned.v1": returning.ReturnDispositioned,
    "credit.posted.v1": returning.CreditPosted,
    "stock.received.v1": stock.StockReceived,
    "stock.opened.v1": stock.StockOpened,
    "stock.unbooked.v1": stock.StockUnbooked,
    "stock.bookAgain.v1": stock.StockBookAgain,
    "stock.adjusted.v1": stock.StockAdjusted,
    "stock.reconciled.v1": stock.StockReconciled,
    "stock.held.v1": stock.StockHeld,
    "stock.recalled.v1": stock.LotRecalled,
    "stock.releasedFromHold.v1": stock.StockReleased,
    "stockAdjustment.posted.v1": stock.StockAdjustmentPosted,
    "serial.moved.v1": serial.SerialMoved,
    "claim.granted.v1": stock.ClaimGranted,
    "claim.refused.v1": stock.ClaimRefused,
    "claim.expired.v1": stock.ClaimExpired,
    "claim.takenOver.v1": stock.ClaimTakenOver,
    "availability.changed.v1": stock.AvailabilityChanged,
    "availability.published.v1": stock.AvailabilityPublished,
    "inbound.expected.v1": movement.InboundExpected,
    "inbound.changed.v1": movement.InboundChanged,
    "inbound.cancelled.v1": movement.InboundCancelled,
    "inbound.dispatched.v1": movement.InboundDispatched,
    "inbound.announced.v1": movement.InboundAnnounced,
    "inbound.received.v1": movement.InboundReceived,
    "inbound.stored.v1": movement.InboundStored,
    "inbound.closed.v1": movement.InboundClosed,
    "inbound.accepted.v1": movement.InboundAccepted,
    "goodsReceipt.posted.v1": movement.GoodsReceiptPosted,
    "consignment.withdrawn.v1": movement.ConsignmentWithdrawn,
    "transfer.ordered.v1": movement.TransferOrdered,
    "transfer.cancelled.v1": movement.TransferCancelled,
    "transfer.released.v1": movement.TransferReleased,
    "transfer.shipped.v1": movement.TransferShipped,
    "transfer.settled.v1": movement.TransferSettled,
    "item.defined.v1": master.ItemDefined,
    "item.changed.v1": master.ItemChanged,
    "item.renamed.v1": master.ItemRenamed,
    "customer.defined.v1": master.CustomerDefined,
    "customer.merged.v1": master.CustomerMerged,
    "location.defined.v1": master.LocationDefined,
    "carrier.defined.v1": master.CarrierDefined,
    "codeList.published.v1": master.CodeListPublished,
    "masterData.awaited.v1": master.MasterDataAwaited,
    "masterData.arrived.v1": master.MasterDataArrived,
    "identifier.bound.v1": operations.IdentifierBound,
    "message.notTranslated.v1": operations.MessageNotTranslated,
    "message.corrected.v1": operations.MessageCorrected,
    "person.erased.v1": operations.PersonErased,
    "message.readAgain.v1": operations.MessageReadAgain,
    "numbers.compared.v1": operations.NumbersCompared,
    "case.told.v1": operations.CaseTold,
    "effect.refused.v1": operations.EffectRefused,
    "clock.ranOut.v1": operations.ClockRanOut,
    "clock.met.v1": operations.ClockMet,
    "effect.unclear.v1": operations.EffectUnclear,
    "effect.retryRequested.v1": operations.EffectRetryRequested,
    "effect.decided.v1": operations.EffectDecided,
    "timer.fired.v1": operations.TimerFired,
    "thread.resumed.v1": operations.ThreadResumed,
}
"""Short type → shape. On the wire the type carries the prefix: `crossdock.logistics.order.received.v1`."""

EFFECTS: Final[dict[str, type[msgspec.Struct]]] = {
    "order.check": requests.CheckOrder,
    "order.cancel": requests.CancelFulfilment,
    "sales_order.create": requests.CreateSalesOrder,
    "sales_order.change": requests.ChangeSalesOrder,
    "sales_order.cancel": requests.CancelSalesOrder,
    "reservation.update": requests.UpdateReservation,
    "warehouse_order.release": requests.ReleaseOrder,
    "warehouse_order.cancel": requests.CancelRelease,
    "label.create": requests.CreateLabel,
    "label.void": requests.VoidLabel,
    "label.attach": requests.AttachLabel,
    "load.tender": requests.TenderLoad,
    "load.cancel": requests.CancelLoad,
    "tracking.subscribe": requests.SubscribeTracking,
    "goods_issue.post": requests.PostGoodsIssue,
    "goods_issue.reverse": requests.ReverseGoodsIssue,
    "inbound.fetch": requests.FetchInbound,
    "inbound.announce": requests.AnnounceInbound,
    "goods_receipt.post": requests.PostGoodsReceipt,
    "transfer.release": requests.ReleaseTransfer,
    "transfer_issue.post": requests.PostTransferIssue,
    "freight.accrue": requests.AccrueFreight,
    "freight.adjust": requests.AdjustFreight,
    "milestone.record": requests.RecordMilestone,
    "fulfilment.create": requests.CreateFulfilment,
    "availability.publish": requests.PublishAvailability,
    "customer.notify": requests.Notify,
    "case.tell": requests.TellCase,
    "invoice.release": requests.ReleaseInvoice,
    "consignment.withdraw": requests.WithdrawConsigned,
    "stock_adjustment.post": requests.PostStockAdjustment,
    "credit.post": requests.PostCredit,
    "item.fetch": master.FetchItem,
}
"""Effect kind → canonical payload."""

TYPE_OF: Final[dict[type[msgspec.Struct], str]] = {shape: name for name, shape in EVENTS.items()}
_DECODERS: Final = {name: msgspec.json.Decoder(shape) for name, shape in EVENTS.items()}
_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")


def encode(data: msgspec.Struct) -> bytes:
    """Event or effect data as JSON, decimals as strings (exact)."""
    return _ENCODER.encode(data)


def decode(type_: str, data: bytes) -> msgspec.Struct:
    """Read stored event data. Raises `KeyError` for an unknown type, `msgspec.ValidationError` for a wrong shape."""
    return _DECODERS[type_].decode(data)


def short_type(wire_type: str) -> str:
    return wire_type.removeprefix(TYPE_PREFIX)
