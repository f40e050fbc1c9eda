"""`config test` of stock: which ERP is told when it changes without an order."""

from pathlib import Path

import pytest
import yaml

from crossdock.cli.routing_cases import run
from crossdock.demo.day import prepare
from crossdock.errors import Misconfigured


def put(folder: Path, *cases: dict[str, object]) -> None:
    (folder / "tests" / "routing" / "stock.yaml").write_text(yaml.safe_dump(list(cases)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two companies; the second site tells its ERP of holds and their release only."""
    prepare(tmp_path, group=True)
    path = tmp_path / "routing.yaml"
    routing = yaml.safe_load(path.read_text())
    routing["nodes"]["SITE2"]["adjustments"] = ["hold", "release"]
    path.write_text(yaml.safe_dump(routing))
    return tmp_path


def test_each_case_says_who_is_told_and_why(folder: Path) -> None:
    """The ERP of the site, nobody where the site leaves it out, nobody for goods of others; a wrong expectation fails."""
    put(
        folder,
        {"name": "a", "stock": {"node": "SITE1", "change": "loss"}, "expect": {"erp": "sap-1"}},
        {"name": "b", "stock": {"node": "SITE2", "change": "hold"}, "expect": {"erp": "sap-2"}},
        {"name": "c", "stock": {"node": "SITE2", "change": "loss"}, "expect": {"erp": ""}},
        {"name": "d", "stock": {"node": "SITE1", "change": "loss", "owner": "SUP-1"}, "expect": {"erp": ""}},
        {"name": "e", "stock": {"node": "SITE2", "change": "loss"}, "expect": {"erp": "sap-2"}},
    )
    verdicts = {x.name: x for x in run(folder) if x.file == "stock.yaml"}

    assert [x.ok for x in verdicts.values()] == [True, True, True, True, False]
    assert verdicts["c"].because == "SITE2 tells sap-2 of hold, release"
    assert "SUP-1" in verdicts["d"].because


def test_a_case_is_about_one_thing(folder: Path) -> None:
    """Neither two nor none; and of changes that there are."""
    order = {"channel": "woo-us"}
    for given in (
        {},
        {"order": order, "stock": {"node": "SITE1", "change": "loss"}},
        {"stock": {"node": "SITE1", "change": "theft"}},
    ):
        put(folder, {"name": "x", "expect": {}} | given)
        with pytest.raises(Misconfigured):
            list(run(folder))
