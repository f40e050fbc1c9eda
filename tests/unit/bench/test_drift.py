"""The classifier on days it was not written with."""

import pytest

from crossdock.bench.drift import scored


@pytest.mark.parametrize("system", ["wms", "erp"])
def test_it_names_what_it_has_not_seen(system: str) -> None:
    """At least 95 % are right over ten days that nobody looked at, and no move under way is called a difference."""
    found = scored(system, range(5001, 5011))  # type: ignore[arg-type]

    assert found.value >= 95
    assert found.more["false_alarms"] == 0
    assert found.more["moving"] > 50
