"""What `replay` prints."""

from crossdock.cli.replay import bar, preview_lines


def test_the_bar_fills() -> None:
    """Nothing, a part and all of it."""

    def shown(waiting: int) -> str:
        return bar({"name": "R-3", "count": 30, "counts": {"waiting": waiting, "done": 30 - waiting}})

    assert shown(30) == "R-3 " + "·" * 30 + " 0/30"
    assert shown(20) == "R-3 " + "█" * 10 + "·" * 20 + " 10/30"
    assert shown(0) == "R-3 " + "█" * 30 + " 30/30"


def test_a_preview_tells_cost_and_reasons() -> None:
    """Counts first, then each target's share, then item by item."""
    item = {"what": "event", "ref": "1-2-3-4-5", "thread": "order/shop/1", "verdict": "skipped", "does": [], "leaves": ["it was done"], "failed": ""}  # fmt: skip
    lines = list(
        preview_lines(
            {
                "count": 2, "selection": "case C-1", "seconds": 0.1, "verdicts": {"skipped": 2}, "judged": 1, "items": [item],
                "targets": [{"system": "sap-1", "calls": 2, "percent": 40.0}],
            }
        )
    )  # fmt: skip

    assert lines[:2] == ["2 items (case C-1), about 0.1 s", "  2 would be left alone"]
    assert "sap-1: 2 calls at once, 40 % of its budget meanwhile" in lines[2]
    assert lines[3].split() == ["skipped", "event", "order/shop/1"]
    assert lines[-1] == "… and 1 more that were not judged yet"
