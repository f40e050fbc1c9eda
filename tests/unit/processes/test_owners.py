"""Whose goods an order takes, and when a supplier's become ours."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crossdock.model import order as o
from crossdock.processes.routing import Node, OrderRule, Routing
from unit.processes.goods import qty
from unit.processes.order_floor import POLICY, Floor

CONSIGNED = Routing(nodes={"SITE1": Node("wms", consigned=("SUP-1", "SUP-2"))})
OF_ACME = Routing(nodes={"SITE1": Node("wms")}, orders=(OrderRule("acme", owner="ACME"),))
pieces = st.integers(0, 12)


def ordered(routing: Routing, wanted: int, own: int, **others: int) -> Floor:
    shelves = {(("A", owner.replace("_", "-"))): there for owner, there in others.items()}
    policy = msgspec.structs.replace(POLICY, routing=routing, location="SITE1")
    return Floor([("A", wanted)], {("A", "L"): (own, None)}, policy=policy, others=shelves)


def test_our_own_goods_leave_first() -> None:
    """Then those of the suppliers in the order in which the node names them; of a third one nothing."""
    floor = ordered(CONSIGNED, 9, 3, SUP_1=4, SUP_2=4, SUP_3=9)

    assert floor.of_owners("firm_claim") == {"": 3, "SUP-1": 4, "SUP-2": 2}
    assert floor.of_owners() == {"SUP-2": 2, "SUP-3": 9}


def test_the_warehouse_is_told_whose_goods_to_pick() -> None:
    """Where they are one owner's; where a line takes several, it is one line of work, and the choice is the warehouse's."""
    for wanted, owner in ((4, "SUP-1"), (6, "")):
        [release] = ordered(CONSIGNED, wanted, 0, SUP_1=4, SUP_2=4).told("warehouse_order.release")
        assert [(x.ordered, x.owner) for x in release.lines] == [(qty(wanted), owner)]


def test_a_suppliers_goods_become_ours_as_they_leave() -> None:
    """Each supplier's part is told once for each shipment, before the goods issue of it; what is ours is told nobody."""
    floor = ordered(CONSIGNED, 9, 3, SUP_1=4, SUP_2=4)
    floor.say(o.SalesOrderPosted("4711"))
    floor.pack("S-1", ("1", "A", 9, ""))
    assert floor.told("consignment.withdraw") == []
    floor.ship("S-1", ("1", "A", 9, ""))
    floor.ship("S-1", ("1", "A", 9, ""))

    told = {x.supplier: [(y.item, y.quantity) for y in x.lines] for x in floor.told("consignment.withdraw")}
    assert told == {"SUP-1": [("A", qty(4))], "SUP-2": [("A", qty(2))]}
    kinds = [x.kind for x in floor.done if x.kind in ("consignment.withdraw", "goods_issue.post")]
    assert kinds == ["consignment.withdraw", "consignment.withdraw", "goods_issue.post"]
    assert len({x.lane for x in floor.done if x.kind in kinds}) == 1
    assert floor.of_owners() == {"SUP-2": 2}
    assert floor.short == 0


def test_another_owners_sale_buys_nothing() -> None:
    """ACME's order takes ACME's goods and nobody else's, and nobody is told that they became ours."""
    floor = ordered(OF_ACME, 4, 50, ACME=4, BETA=50)
    assert floor.of_owners("firm_claim") == {"ACME": 4}

    floor.pack("S-1", ("1", "A", 4, ""))
    floor.ship("S-1", ("1", "A", 4, ""))
    assert floor.of_owners() == {"": 50, "BETA": 50}
    assert floor.told("consignment.withdraw") == []


@given(pieces, pieces, pieces, pieces, st.sampled_from([CONSIGNED, OF_ACME, Routing()]))
def test_nobodys_goods_are_taken_for_another(
    wanted: int, own: int, supplier: int, acme: int, routing: Routing
) -> None:
    """Whatever lies there: an order gets all it wants of the goods that may be sold for it, or waits, and others keep theirs."""
    floor = ordered(routing, wanted + 1, own, SUP_1=supplier, ACME=acme)
    sold = {"": own} | ({"SUP-1": supplier} if routing is CONSIGNED else {})
    if routing is OF_ACME:
        sold = {"ACME": acme}

    taken = floor.of_owners("firm_claim")
    assert taken.keys() <= sold.keys()
    assert sum(taken.values()) == (wanted + 1 if sum(sold.values()) > wanted else 0)
    if sum(taken.values()) > own and routing is CONSIGNED:
        assert taken.get("", 0) == own
