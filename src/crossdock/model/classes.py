"""Data classes: what may be shown to whom, and what erasure must reach.

Every field of every canonical struct has one. A struct names its class in `data_class`; a field that
differs wears one of the annotations below. Personal fields only ever stand inside `Party`, so that
sealing is one rule (`People` is sealed under the subject's key), not a search.
"""

from typing import Annotated, Literal

import msgspec

DataClass = Literal["public", "internal", "commercial", "personal"]
"""public: item codes, statuses. internal: ids, times. commercial: prices, quantities sold. personal: GDPR Art. 4(1)."""


def _mark(data_class: DataClass) -> msgspec.Meta:
    return msgspec.Meta(extra={"data_class": data_class})


PersonalText = Annotated[str, _mark("personal")]
CommercialText = Annotated[str, _mark("commercial")]
