"""Why cases are opened: ten technical classes, and a table of business causes with what to do about each.

A landscape may say it otherwise, and add causes of its own (`policy.causes`). A standing hold is a cause named after
itself: what the table does not know is settled as a `hold`.
"""

from typing import Final, Literal, get_args

import msgspec

from crossdock.errors import Rejected

TechnicalClass = Literal[
    "value", "missing", "connection", "intermittent", "rate limit", "too large", "parse", "duplicate", "authorisation",
    "unknown outcome",
]  # fmt: skip
CLASSES: Final[tuple[str, ...]] = get_args(TechnicalClass)
HOLD: Final = "hold"


class Cause(msgspec.Struct, frozen=True):
    """`playbook` says in sentences what to do; `hours` is how long it may take while the desk is open."""

    title: str
    playbook: str
    owner: str
    hours: int


class CauseRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a landscape says otherwise of a cause; a new one needs all four."""

    title: str = ""
    playbook: str = ""
    owner: str = ""
    hours: int = 0


CAUSES: Final[dict[str, Cause]] = {
    "refused by target": Cause(
        "The system said no", "Read its reason, settle it in that system, then retry the case. It is the same effect, so"
        " it cannot be done twice.", "operations", 4,
    ),
    "answer lost": Cause(
        "Nobody can tell whether it was done", "Look in the system for the document. If it is there, mark the effect as"
        " posted with the document's number; if it is certainly not, post it now.", "operations", 2,
    ),
    "period closed": Cause(
        "The posting period is closed", "Have the period opened and retry the case; or agree with accounting on another"
        " posting date and retry it with that. Everything that waits for it is posted in its order, once.", "finance", 4,
    ),
    "goods issue reversed": Cause(
        "A goods issue was taken back", "Find out why. What left is posted anew once the case is retried; where an invoice"
        " stands on it, cancel that in the ERP first. What never left: say so of the shipment.", "finance", 8,
    ),
    "credit": Cause(
        "Credit was refused", "Release the credit in the ERP, or cancel the order. What is held is checked again by"
        " itself, and at once when the case is retried.", "finance", 4,
    ),
    "price": Cause(
        "Prices differ", "Find out which price is right: correct the shop or the ERP, then retry; or cancel the order.",
        "finance", 8,
    ),
    "master data": Cause(
        "A record is missing or wrong", "Create or correct the item, customer or unit where it is maintained. What waits"
        " goes on by itself; retry the case to go on at once.", "master data", 8,
    ),
    "authorisation": Cause(
        "We are not allowed to do it", "Check the technical user's rights and the credentials in the landscape, then retry.",
        "integration", 4,
    ),
    "stock": Cause("Not enough stock to promise", "Receive or correct stock, or cancel the order.", "operations", 8),
    "address": Cause(
        "The address cannot be served", "Ask the customer and correct the address in the shop: the change comes by itself."
        " Then retry the case.", "customer service", 8,
    ),
    "cut-off": Cause(
        "The truck of the day was missed", "Agree with warehouse and carrier on an extra pick-up, or tell the customer the"
        " new day; then retry the case.", "warehouse", 2,
    ),
    "contract change": Cause(
        "A partner sends what was not agreed", "Ask the partner what changed. Extend the mapping or have it taken back,"
        " then send the message again.", "integration", 8,
    ),
    "messages missing": Cause(
        "A sender's messages did not come", "Ask the sender to send the numbers again that the list of gaps names (crossdock gaps), and look whether it"
        " or the line between gave up. It closes by itself when they come; what is lost for good shows in the next stock comparison.",
        "integration", 4,
    ),
    "message content": Cause(
        "A message cannot be read", "Correct it at the sender, or extend the mapping, and send it again; the message is kept.",
        "integration", 8,
    ),
    "mapping or process fault": Cause(
        "The hub itself cannot go on", "Read the reason, correct landscape or release, then retry: the events go on in the"
        " order they came.", "integration", 4,
    ),
    "told otherwise": Cause(
        "A fact was told twice, and differently", "The first is booked and the second is not. Ask the sender which is true; have"
        " the difference told as a fact of its own.", "warehouse", 8,
    ),
    "not the authority": Cause(
        "Somebody spoke who is not asked", "Nothing of it was applied. Correct what the sender sends, or who the landscape"
        " names as the authority.", "integration", 16,
    ),
    "short pick": Cause(
        "The shelf was empty", "Count the bin. Retry the case once there is stock, or cancel what is missing.", "warehouse", 4,
    ),
    "over-pick": Cause(
        "More was packed than ordered", "Take it out before the truck leaves, or agree with the customer on keeping it.",
        "warehouse", 2,
    ),
    "substitution": Cause(
        "Another item was packed", "Have it packed again before the truck leaves, or ask the customer.", "warehouse", 2,
    ),
    "cancellation": Cause(
        "Cancelled too late", "Intercept the parcel, or agree on a return; the channel shows the order as cancelled.",
        "customer service", 4,
    ),
    "order change": Cause(
        "Changed too late", "The earlier version is being fulfilled. Settle the difference with the customer: a second"
        " order, or a return.", "customer service", 8,
    ),
    "loose components": Cause(
        "Parts of a kit left alone", "Have them sent back, send the rest as a new order, or book them as given away; then"
        " retry the case.", "customer service", 16,
    ),
    "returned": Cause(
        "Came back undelivered", "Agree with the customer: send it again as a new order, or refund it. Then retry the case.",
        "customer service", 8,
    ),
    "lost": Cause(
        "The carrier lost it", "Claim it from the carrier; send it again as a new order, or refund it. Then retry the case.",
        "customer service", 8,
    ),
    "no carrier": Cause(
        "No carrier will take it", "Tender it to another carrier; the shipment goes on by itself once one accepts.",
        "transport", 4,
    ),
    "event before its parent": Cause(
        "Something is missing before it", "Ask the sender for the message that should have come first; the rest goes on by"
        " itself.", "warehouse", 4,
    ),
    "no ship confirmation": Cause(
        "Scanned, and never confirmed", "Have the warehouse confirm the departure; goods issue, notices and invoice follow"
        " by themselves.", "warehouse", 4,
    ),
    "freight difference": Cause(
        "The freight bill differs", "Dispute it with the carrier, or retry the case to accept it: the accrual is adjusted.",
        "finance", 40,
    ),
    "freight billed twice": Cause(
        "Freight was billed again", "Ask the carrier; nothing was booked for this bill. Retry to accept it beside the first.",
        "finance", 40,
    ),
    "recall": Cause(
        "Goods of a recalled lot", "Have stopped what can be stopped; settle with the customer what left. Then retry the case.",
        "warehouse", 2,
    ),
    "stock difference": Cause(
        "The books have less than was moved", "Count the item there, or find the movement that was not reported.",
        "warehouse", 8,
    ),
    "unit": Cause(
        "A unit does not come out even", "Correct the units of the item (crossdock master import), then retry the case: the move is booked as it was told.",
        "master data", 8,
    ),
    "opening balance": Cause(
        "A place was opened twice", "The first opening stands. Correct what is wrong with a count.", "warehouse", 16,
    ),
    "serial number": Cause(
        "A piece is in two places", "Look where it really is and have the other place corrected there; or retry the case to"
        " believe the newest word.", "warehouse", 16,
    ),
    "return nobody authorised": Cause(
        "Goods came back unasked", "Retry the case to accept them: they are then credited at the price they were sold for.",
        "customer service", 16,
    ),
    "return beyond its order": Cause(
        "More came back than was sold", "Correct the return in the shop, or retry the case to leave it so.",
        "customer service", 16,
    ),
    "return without an order": Cause(
        "Goods came back, and nobody knows of which order", "Find the order and authorise the return; it is then credited"
        " by itself.", "customer service", 16,
    ),
    "received elsewhere": Cause(
        "Received at another site", "Nothing of it was applied. Have the goods received where they are, without a reference.",
        "warehouse", 8,
    ),
    "inbound cannot be read": Cause(
        "An expected delivery makes no sense", "Send it again, corrected.", "purchasing", 8,
    ),
    "receipt without an order": Cause(
        "Goods came that nobody announced", "They are on the shelf. Send the order: the receipt is booked to it by itself.",
        "purchasing", 16,
    ),
    "damaged": Cause("Goods came damaged", "Settle it with the supplier, then retry the case to accept.", "warehouse", 16),
    "over": Cause("More came than was ordered", "Settle it with the supplier, then retry the case to accept.", "purchasing", 16),
    "unknown": Cause(
        "Goods came that the order does not name", "Retry the case to keep them, or send the order again with a line for"
        " them.", "purchasing", 16,
    ),
    "road": Cause(
        "Goods were lost on the road", "They were yours from departure: claim them from whoever carried them, then retry.",
        "purchasing", 16,
    ),
    "variance": Cause(
        "A transfer arrived otherwise than it left", "Find out what happened on the road, then settle or accept it.",
        "purchasing", 16,
    ),
    "transfer cannot be read": Cause("A transfer makes no sense", "Send it again, corrected.", "purchasing", 8),
    "transfer changed": Cause(
        "A transfer was ordered twice", "The first order stands. Cancel it and order under another number.", "purchasing", 8,
    ),
    "transfer overdue": Cause(
        "A transfer has not arrived", "Ask the carrier. When it is lost, have the receiving warehouse close it.",
        "transport", 8,
    ),
    "not enough stock": Cause(
        "A transfer waits for stock", "It is tried again by itself; nothing leaves before all of it is there.", "warehouse", 16,
    ),
    "warehouse acknowledgement overdue": Cause(
        "The warehouse has not said that it has the order", "See whether it has it. If not, release it there by hand under the"
        " same number. The case closes by itself when its word comes.", "warehouse", 2,
    ),
    "label overdue": Cause(
        "A parcel stands at the dock without a label", "See why the carrier gives none; the case closes by itself when it comes.",
        "transport", 2,
    ),
    "carrier acceptance overdue": Cause(
        "No carrier has taken the load", "Ask in the TMS, or tender it to another; the case closes by itself when one accepts.",
        "transport", 2,
    ),
    "first scan overdue": Cause(
        "The carrier shows nothing of what left", "Ask whether the parcel was handed over; the case closes by itself with its"
        " first scan.", "transport", 4,
    ),
    "goods issue overdue": Cause(
        "Goods left and the ERP has not posted it", "See what stops the posting; the invoice waits for its document number.",
        "finance", 4,
    ),
    "proof of delivery overdue": Cause(
        "It should have arrived", "Ask the carrier where the parcel is, and tell the customer before he asks.", "transport", 8,
    ),
    "freight bill overdue": Cause(
        "The carrier has not billed it", "Ask the carrier for its bill; the accrual stays open until it comes.", "finance", 40,
    ),
    HOLD: Cause(
        "Held by name", "Do what the hold asks for. Retry the case to release it, or cancel the order.", "operations", 8,
    ),
}  # fmt: skip
"""By name, as `OpenCase.cause` and every list say it."""


def merged(rules: dict[str, CauseRule]) -> dict[str, Cause]:
    """The table as this landscape has it. Raises `Rejected` for a new cause that does not say what to do."""
    found = dict(CAUSES)
    for name, rule in rules.items():
        before = CAUSES.get(name)
        if before is None and not (rule.title and rule.playbook and rule.owner and rule.hours > 0):
            raise Rejected(f"/{name}", "a cause of your own needs title, playbook, owner and hours")
        if rule.hours < 0:
            raise Rejected(f"/{name}/hours", "must not be negative")
        old = before or Cause("", "", "", 0)
        found[name] = Cause(
            rule.title or old.title,
            rule.playbook or old.playbook,
            rule.owner or old.owner,
            rule.hours or old.hours,
        )
    return found


def known_class(word: str) -> str:
    """One of the ten, for what messages and older events call otherwise."""
    return {"unsupported": "parse", "conflict": "duplicate"}.get(word, word)
