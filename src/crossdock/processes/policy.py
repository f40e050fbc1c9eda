"""What a company decides and a process obeys; compiled from the landscape, given to every step."""

from decimal import Decimal
from typing import Literal

import msgspec


class Policy(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Accounts by role, and the rules of the founding process. Seconds count on the business clock."""

    erp: str = "erp"
    warehouse: str = "warehouse"
    carrier: str = "carrier"
    location: str = "SITE1"
    notify: tuple[str, ...] = ()
    """Systems that tell the customer: CRM, portal."""
    follow: tuple[str, ...] = ()
    """Systems that want every milestone of a parcel, the ERP among them."""
    channels: tuple[str, ...] = ()
    """Storefronts that show availability of `location`."""
    unknown_item: Literal["reject", "hold"] = "reject"
    price_tolerance: Decimal = Decimal("0.01")
    """Largest accepted difference between shop and ERP net price, as a share of the ERP's."""
    recheck_seconds: int = 300
    """How often a held order is put to the ERP or the ledger again."""
    rechecks_max: int = 100
    invoice_needs: tuple[Literal["goods_issue", "delivery"], ...] = ("goods_issue", "delivery")
    parent_wait_seconds: int = 900
    """How long an event may wait for the one that should have come before it."""
