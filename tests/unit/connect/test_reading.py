"""Free fields of a shop: a text is found under its name, and nothing that a plug-in writes there costs an order."""

from typing import Any

import pytest

from crossdock.connect.reading import noted


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([{"key": "_source", "value": "mail"}, {"key": "_claim", "value": " cart-7 "}], "cart-7"),
        ([{"key": "claim", "value": "cart-8"}], "cart-8"),
        ([{"key": "claim", "value": {"id": 7}}], ""),
        ([{"key": "claim", "value": "x" * 121}], ""),
        ([{"key": ["claim"], "value": "x"}, 7, None, {}], ""),
        ({"3": {"key": "claim", "value": "x"}}, ""),
        ("claim", ""),
        (None, ""),
    ],
)
def test_a_text_is_found_or_nothing(fields: Any, found: str) -> None:
    """Lists with gaps become objects in some shops, and values may be anything."""
    assert noted(fields, "key", ("_claim", "claim")) == found
