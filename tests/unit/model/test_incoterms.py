"""Terms of purchase: who owns what is on the road."""

import pytest

from crossdock.model.incoterms import title_passes


@pytest.mark.parametrize(
    ("terms", "when"),
    [
        (x, "departure")
        for x in ("EXW", "FCA", "FAS", "FOB", "FOB origin", "CFR", "CIF", "CPT", "CIP", "fca Hamburg")
    ]
    + [(x, "arrival") for x in ("DAP", "DPU", "DDP", "DAT", "FOB destination", "", "  ", "as agreed")],
)
def test_title_follows_the_class_of_the_rule(terms: str, when: str) -> None:
    """E, F and C pass it as the goods leave, D where they arrive; without terms it is ours when it is here."""
    assert title_passes(terms) == when
