"""What every thread does when one of its effects is refused, unclear, retried or done: open and close the case."""

from crossdock.model.causes import CAUSES
from crossdock.model.envelope import Recorded
from crossdock.processes.intents import CloseCase, Intent, OpenCase, Retry

FINANCE = frozenset({
    "goods_issue.post", "goods_issue.reverse", "invoice.release", "freight.accrue", "freight.adjust", "goods_receipt.post", "transfer_issue.post",
    "consignment.withdraw", "credit.post", "stock_adjustment.post",
})  # fmt: skip
"""What moves value in an ERP's books: to send it again blindly, two people must agree."""
FORGOABLE = frozenset({
    "label.attach", "label.void", "load.cancel", "tracking.subscribe", "milestone.record", "customer.notify", "availability.publish", "case.tell",
})  # fmt: skip
"""What no thread waits for: a person may give it up."""
REFUSED = "refused by target"
"""What a connector cannot say more of."""
_CLASSES = {"authorisation": "authorisation", "master data": "missing"}
_OWNERS = dict.fromkeys(FINANCE, "finance")


def intents(event: Recorded) -> tuple[Intent, ...]:
    """Follow-ups of an event about an effect, beyond what the process itself does with it."""
    data = event.data
    match event.type:
        case "effect.refused.v1":
            title = f"{data.account} refused {words(data.kind)}: {data.reason}"
            cause = data.cause if data.cause in CAUSES else REFUSED
            owner = _OWNERS.get(data.kind, "operations") if cause == REFUSED else CAUSES[cause].owner
            return (
                OpenCase(
                    f"refused/{data.account}/{data.kind}/{data.code}/{data.reason}", _CLASSES.get(cause, "value"), cause, title[:200],
                    f"Settle the reason in {data.account}, then retry the case: it is the same effect, it cannot be done twice.",
                    owner, data.effect,
                ),
            )  # fmt: skip
        case "effect.unclear.v1":
            title = f"Nobody can tell whether {data.account} did {words(data.kind)}"
            return (
                OpenCase(
                    f"unclear/{data.account}/{data.kind}", "unknown outcome", "answer lost", title,
                    f"{data.reason}. Look in {data.account}; a retry of the case looks it up again and sends nothing blindly.",
                    _OWNERS.get(data.kind, "operations"), data.effect,
                ),
            )  # fmt: skip
        case "effect.retryRequested.v1":
            return (Retry(data.effect, data.posting_on),)
        case "effect.decided.v1" if data.decision != "sent again":
            return (CloseCase(data.effect, f"{data.by}: {data.decision} {data.document}".rstrip()),)
        case _:
            return (CloseCase(event.effect, "it was done"),) if event.effect else ()


def words(kind: str) -> str:
    """`goods_issue.post` → "goods issue post": an effect kind as a person says it."""
    return kind.replace("_", " ").replace(".", " ")
