"""Whatever is done with claims in whatever order, the ledger says what a simple mind would have written down."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from crossdock.model.claim import (
    Act,
    Change,
    ClaimWanted,
    Commit,
    Extend,
    PartWanted,
    Release,
    Transfer,
    WantedLine,
)
from crossdock.model.master import Component, ItemDefined, ItemUnit
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockPlace
from crossdock.processes.demand import demand
from crossdock.processes.intents import Claim, Move, Takes
from crossdock.runtime.claim_round import Acting, Asking, Instant, Round, answer_of
from crossdock.store import lifecycle, stock
from crossdock.store.held import Held
from unit.runtime.claim_books import KIT, Books

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
NODES = ("N1", "N2")
ITEMS = {
    "A": ItemDefined("A", units=(ItemUnit("CS", 12),)),
    "B": ItemDefined("B"),
    "L": ItemDefined("L", tracked_by="lot"),
    "K": ItemDefined("K", components=tuple(Component(x, Quantity(Decimal(n))) for x, n in KIT.items())),
}
EXPIRES = {"": None, "OLD": date(2026, 11, 25), "SOON": date(2026, 11, 26), "LATE": date(2027, 1, 1)}
WHERE = [(item, node, lot) for item in "ABL" for node in NODES for lot in (EXPIRES if item == "L" else [""])]
few = st.integers(1, 9)
routes = st.sampled_from([["N1"], ["N2"], ["N1", "N2"], ["N2", "N1"]])
lines = st.lists(st.tuples(st.sampled_from("ABLK"), few, st.booleans()), min_size=1, max_size=3)


class Claims(RuleBasedStateMachine):
    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.balances = {
            (i, n, lot, "", ""): stock.Balance(
                number,
                (i, n, lot, "", ""),
                "EA",
                dict.fromkeys(stock.BUCKETS, Decimal(0)),
                False,
                0,
                None,
                EXPIRES[lot],
            )
            for number, (i, n, lot) in enumerate(WHERE)
        }
        self.held: dict[str, Held] = {}
        self.told: dict[str, tuple[bytes, bytes]] = {}
        self.replied: dict[bytes, tuple[bytes, bytes]] = {}
        self.wanted: dict[str, ClaimWanted] = {}
        self.entries: list[Any] = []
        self.number = 0

    def _settle(self, *jobs: Asking | Acting) -> None:
        made = Round(Instant(NOW, "cursor", 1), self.told, self.replied, self.held)
        settled = stock.Settled(1, balances=self.balances, claims=dict(self.held))
        for job in jobs:
            made.decide(settled, job)
        made.tell()
        self._keep(settled)
        self.told |= made.answers
        self.replied |= made.replies

    def _keep(self, settled: stock.Settled) -> None:
        self.entries += settled.entries
        self.held = settled.claims

    def _asking(self, wanted: ClaimWanted) -> Asking:
        demands = tuple(demand(x, n, ITEMS) for n, x in enumerate(wanted.lines))
        return Asking(wanted, demands, wanted.nodes, repr(wanted).encode(), "test")

    def _act(self, name: str, act: Act) -> Acting:
        self.number += 1
        job = Acting(name, act, str(self.number).encode(), repr(act).encode(), "test", ITEMS)
        self._settle(job)
        again = Acting(name, act, str(self.number).encode(), repr(act).encode(), "test", ITEMS)
        if job.said == "done":
            self._settle(again)
            assert (again.said, again.answer) == ("repeated", job.answer)
        return job

    def _move(self, move: Move) -> stock.Settled:
        wish = stock.Wish(move, b"t" * 16, "order/x", "event", NOW)
        settled = stock.settle([wish], self.balances, 1, self.held)
        self._keep(settled)
        return settled

    @initialize(shelf=st.lists(st.integers(0, 12), min_size=len(WHERE), max_size=len(WHERE)))
    def open_the_books(self, shelf: list[int]) -> None:
        """Something is there, so that not every claim is refused."""
        for where, quantity in zip(WHERE, shelf, strict=True):
            if quantity:
                self.receive(where, quantity)

    @rule(where=st.sampled_from(WHERE), quantity=st.integers(1, 30))
    def receive(self, where: tuple[str, str, str], quantity: int) -> None:
        item, node, lot = where
        self._move(Move(StockPlace(item, node, lot), "outside", "available", Decimal(quantity), "EA"))
        self.books.add(item, node, lot, "available", quantity)

    @rule(where=st.sampled_from(WHERE), quantity=few)
    def hold(self, where: tuple[str, str, str], quantity: int) -> None:
        """Into quarantine, as far as there is any."""
        item, node, lot = where
        self._move(Move(StockPlace(item, node, lot), "available", "quarantine", Decimal(quantity), "EA"))
        here = min(quantity, self.books.bucket(item, node, lot, "available"))
        self.books.add(item, node, lot, "available", -here)
        self.books.add(item, node, lot, "quarantine", here)

    @rule(
        target=names, asked=lines, partial=st.booleans(), kind=st.sampled_from(["soft", "firm"]),
        nodes=routes,
    )  # fmt: skip
    def ask(self, asked: list[tuple[str, int, bool]], partial: bool, kind: Any, nodes: list[str]) -> str:
        name = f"c{len(self.told)}"
        channel = "else" if len(self.told) % 5 == 4 else "shop"
        wanted = ClaimWanted(
            claim=name, kind=kind, nodes=tuple(nodes), channel=channel, mode="partial" if partial else "all_or_nothing",
            lines=tuple(WantedLine(i, Quantity(Decimal(n), "CS" if i == "A" and case else "EA")) for i, n, case in asked),
        )  # fmt: skip
        job, twin = self._asking(wanted), self._asking(wanted)
        self._settle(job, twin)
        base = [(str(n), i, q * 12 if i == "A" and case else q) for n, (i, q, case) in enumerate(asked, 1)]
        lacks = self.books.ask(name, kind, base, nodes, partial=partial)
        self.books.claims[name].channel = channel
        told = answer_of(job.answer)
        assert (job.said, twin.said, twin.answer) == ("done", "repeated", job.answer)
        assert (told.state == "refused") == (self.books.claims[name].state == "refused")
        assert {x.line: int(x.needed.value - x.granted.value) for x in told.lines} == lacks
        self.wanted[name] = wanted
        return name

    @rule(name=names)
    def repeat(self, name: str) -> None:
        """The first answer, whatever became of the claim; another body is another claim."""
        same = self._asking(self.wanted[name])
        changed = ClaimWanted(claim=name, lines=(WantedLine("A", Quantity(Decimal(99))),), nodes=("N1",))
        other = self._asking(changed)
        self._settle(same, other)
        assert (same.said, same.answer) == ("repeated", self.told[name][1])
        assert other.said == "different"

    def _part(
        self, name: str, pick: int, quantity: int
    ) -> tuple[tuple[PartWanted, ...], dict[tuple[str, str], int]]:
        place = pick % len(self.wanted[name].lines)
        item = self.wanted[name].lines[place].item
        line = str(place + 1)
        parts = {(line, x): n * quantity for x, n in KIT.items()} if item == "K" else {(line, item): quantity}
        return (PartWanted(line, Quantity(Decimal(quantity))),), parts

    @rule(
        name=names,
        pick=st.integers(0, 2),
        quantity=few,
        whole=st.booleans(),
        to=st.sampled_from(["allocated", "outside", "available"]),
    )
    def end(self, name: str, pick: int, quantity: int, whole: bool, to: Any) -> None:
        """Commit or release, all of it or a part."""
        named, parts = self._part(name, pick, quantity)
        given = None if whole else named
        job = self._act(name, Release(given) if to == "available" else Commit(given, to))
        if self.books.claims[name].shut:
            assert job.said == self.books.claims[name].shut
            return
        done = self.books.end(name, self.books.open_parts(name) if whole else parts, to)
        assert job.said == ("done" if done else "refused")

    @rule(name=names, pick=st.integers(0, 2), quantity=few, kind=st.sampled_from(["", "soft", "firm"]))
    def change(self, name: str, pick: int, quantity: int, kind: Any) -> None:
        named, parts = self._part(name, pick, quantity)
        job = self._act(name, Change(named, kind))
        if self.books.claims[name].shut:
            assert job.said == self.books.claims[name].shut
            return
        held = {(r[0], r[1]) for r in self.books.claims[name].rows}
        if not set(parts) <= held:
            assert job.said == "refused"  # a line that got nothing has no node to grow at
            return
        done = self.books.change(name, parts, kind)
        assert job.said == ("done" if done else "refused")

    @rule(name=names, way=st.sampled_from([("N1", "N2"), ("N2", "N1")]))
    def transfer(self, name: str, way: tuple[str, str]) -> None:
        job = self._act(name, Transfer(*way))
        if self.books.claims[name].shut:
            assert job.said == self.books.claims[name].shut
            return
        assert job.said == ("done" if self.books.transfer(name, *way) else "refused")

    @rule(name=names)
    def extend(self, name: str) -> None:
        """Its expiry moves and nothing else."""
        job = self._act(name, Extend(60))
        assert job.said == (self.books.claims[name].shut or "done")

    @rule(name=consumes(names))
    def expire(self, name: str) -> None:
        if self.held[name].ended:
            return
        settled = stock.Settled(1, balances=self.balances, claims=dict(self.held))
        lifecycle.expire(settled, settled.claims[name], stock.Cause("expiry", b"t" * 16, NOW, name))
        self._keep(settled)
        self.books.end(name, self.books.open_parts(name), "available", expired=True)

    @rule(name=names, pick=st.integers(0, 5), quantity=few, named=st.booleans())
    def pick(self, name: str, pick: int, quantity: int, named: bool) -> None:
        """A move of the warehouse: out of the claim that it names, or not at all."""
        claim = self.books.claims[name]
        rows = [r for r in claim.rows if claim.open(r)]
        if not rows:
            return
        row = rows[pick % len(rows)]
        place = StockPlace(row[1], row[2], row[3])
        move = Move(
            place, f"{claim.kind}_claim", "allocated", Decimal(quantity), "EA", name if named else "", row[0]
        )  # type: ignore[arg-type]
        settled = self._move(move)
        if not named:
            assert [n for _, n in settled.short] == [quantity]
            return
        same = sorted(
            (r for r in claim.rows if r[1:4] == row[1:4] and claim.open(r)), key=lambda r: r[0] != row[0]
        )
        left = quantity
        for one in same:
            here = min(left, claim.open(one))
            one[5] += here
            left -= here
            self.books.add(*one[1:4], f"{claim.kind}_claim", -here)
            self.books.add(*one[1:4], "allocated", here)
        claim.judge()
        assert sum((n for _, n in settled.short), Decimal(0)) == left

    @invariant()
    def the_law_holds(self) -> None:
        """Entries lead to the balances, open claims to the claims' buckets, and both to what the oracle wrote down."""
        sums = {b.id: dict.fromkeys([*stock.BUCKETS, "outside"], Decimal(0)) for b in self.balances.values()}
        for _, balance, source, goal, quantity, cause, *_ in self.entries:
            assert quantity > 0
            assert cause
            sums[balance][source] -= quantity
            sums[balance][goal] += quantity
        for (item, node, lot, *_), balance in self.balances.items():
            assert balance.buckets == {b: sums[balance.id][b] for b in stock.BUCKETS}
            assert balance.buckets == {b: self.books.bucket(item, node, lot, b) for b in stock.BUCKETS}
            for kind in ("soft", "firm"):
                shares = [
                    x
                    for c in self.held.values()
                    if c.kind == kind
                    for x in c.lines
                    if x.balance == balance.id
                ]
                assert balance.buckets[f"{kind}_claim"] == sum((x.open for x in shares), Decimal(0))

    @invariant()
    def claims_are_what_the_oracle_says(self) -> None:
        for name, claim in self.books.claims.items():
            held = self.held[name]
            assert (held.state, held.kind, held.ended) == (claim.state, claim.kind, not claim.all_open)
            assert held.taken_by == claim.taken_by
            rows = {
                (x.line, x.key[0], x.key[1], x.key[2]): [x.quantity, x.posted, x.released] for x in held.lines
            }
            assert rows == {tuple(r[:4]): r[4:] for r in claim.rows}


class ClaimsAndOrders(Claims):
    """The same, and orders that name claims."""

    @rule(
        name=Claims.names, open_one=st.integers(0, 9), asked=st.none() | lines, partial=st.booleans(), nodes=routes, again=st.booleans(),
    )  # fmt: skip
    def take_over(
        self, name: str, open_one: int, asked: list[tuple[str, int, bool]] | None, partial: bool, nodes: list[str], again: bool
    ) -> None:  # fmt: skip
        """An order names a claim: it wants the same, or something else; or it is the order that came before, once more."""
        self.number += 1
        opened = [x for x in self.wanted if self.books.claims[x].all_open]
        name = opened[open_one] if open_one < len(opened) else name
        wanted = self.wanted[name].lines
        if asked is not None:
            wanted = tuple(WantedLine(i, Quantity(Decimal(n))) for i, n, _ in asked)
        before = self.books.claims[name].taken_by
        order = before if again and before else f"order-{self.number}"
        demands = [demand(x, n, ITEMS) for n, x in enumerate(wanted)]
        takes = Takes(name, "shop", 60, NOW)
        claim = Claim(
            f"{order}#{self.number}", tuple(x for one in demands for x in one.lines), tuple(nodes), partial,
            good_on=NOW.date(), sets=tuple((one.line, one.kits) for one in demands if one.kits), takes=takes,
        )  # fmt: skip
        wish = stock.Wish(claim, b"o" * 16, order, "event", NOW)
        settled = stock.settle([wish], self.balances, 1, self.held)
        self._keep(settled)
        base = [(one.line, x.item, int(one.needed.value)) for one, x in zip(demands, wanted, strict=True)]
        became = self.books.take_over(name, (order, "shop"), claim.claim, base, nodes, partial=partial)
        told = settled.took[claim.claim]
        assert told.outcome == became
        if became == "taken":
            assert sum((x.quantity.value for x in told.lines + told.released), Decimal(0)) == sum(
                (e[4] for e in settled.entries if e[7] == name), Decimal(0)
            )


TestClaims = ClaimsAndOrders.TestCase
TestClaims.settings = settings(max_examples=100, stateful_step_count=40)
