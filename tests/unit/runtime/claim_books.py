"""The ledger and its claims as a simple mind would keep them: whole copies of the books, tried and thrown away.

The oracle of `test_claims_model.py`; it shares no code with the hub.
"""

from copy import deepcopy
from dataclasses import dataclass, field

KIT = {"A": 2, "B": 1}
LOTS = {"A": [""], "B": [""], "L": ["SOON", "LATE", ""]}
"""By item, in the order in which lots leave; `OLD` is past its day and never leaves."""
Row = list
"""[line, item, node, lot, quantity, posted, released]"""


@dataclass
class BookedClaim:
    kind: str
    rows: list[Row] = field(default_factory=list)
    state: str = "pending"
    channel: str = ""
    taken_by: str = ""

    @property
    def shut(self) -> str:
        """What its holder is told who wants to do something with it; empty: it is done, or refused for want of stock."""
        if self.taken_by and self.state != "expired":
            return "taken"
        return "" if self.all_open else "ended"

    def open(self, row: Row) -> int:
        return row[4] - row[5] - row[6]

    @property
    def all_open(self) -> int:
        return sum(self.open(row) for row in self.rows)

    def judge(self, *, expired: bool = False) -> None:
        if self.all_open:
            self.state = "partly_posted" if any(r[5] for r in self.rows) else "pending"
        elif expired:
            self.state = "expired"
        elif not any(r[5] for r in self.rows):
            self.state = "released"
        else:
            self.state = "partly_posted" if any(r[6] for r in self.rows) else "posted"


@dataclass
class Books:
    shelf: dict[tuple[str, str, str], dict[str, int]] = field(default_factory=dict)
    claims: dict[str, BookedClaim] = field(default_factory=dict)

    def bucket(self, item: str, node: str, lot: str, name: str) -> int:
        return self.shelf.get((item, node, lot), {}).get(name, 0)

    def add(self, item: str, node: str, lot: str, name: str, change: int) -> None:
        here = self.shelf.setdefault((item, node, lot), {})
        here[name] = here.get(name, 0) + change
        assert here[name] >= 0

    def free(self, item: str, node: str) -> int:
        return sum(self.bucket(item, node, lot, "available") for lot in LOTS[item])

    def take(self, claim: BookedClaim, line: str, item: str, node: str, wanted: int) -> int:
        """From the lots of a node; how much it was."""
        taken = 0
        for lot in LOTS[item]:
            here = min(wanted - taken, self.bucket(item, node, lot, "available"))
            if here > 0:
                self.add(item, node, lot, "available", -here)
                self.add(item, node, lot, f"{claim.kind}_claim", here)
                same = [r for r in claim.rows if r[:4] == [line, item, node, lot]]
                if same:
                    same[0][4] += here
                else:
                    claim.rows.append([line, item, node, lot, here, 0, 0])
                taken += here
        return taken

    def ask(
        self, name: str, kind: str, lines: list[tuple[str, str, int]], nodes: list[str], *, partial: bool
    ) -> dict[str, int]:
        """(line, item, base units or kits); what each line lacks."""
        for tried in ([node] for node in nodes):
            copy = deepcopy(self)
            claim = BookedClaim(kind)
            if not any(copy._serve(claim, lines, tried).values()):
                self._become(copy, name, claim)
                return dict.fromkeys((x[0] for x in lines), 0)
        copy = deepcopy(self)
        claim = BookedClaim(kind)
        lacks = copy._serve(claim, lines, nodes)
        if any(lacks.values()) and not (partial and claim.rows):
            self.claims[name] = BookedClaim(kind, state="refused")
        else:
            self._become(copy, name, claim)
        return lacks

    def take_over(
        self, name: str, who: tuple[str, str], mine: str, lines: list[tuple[str, str, int]], nodes: list[str], *, partial: bool
    ) -> str:  # fmt: skip
        """An order (name, channel) names a claim; what becomes of that. What it gets goes by the name `mine`.

        First it is served as if nothing existed but what was claimed, then with all that is available besides.
        """
        why = self._objection(name, who)
        if why:
            self.ask(mine, "firm", lines, nodes, partial=partial)
            return why
        self.claims[name].taken_by = who[0]
        copy = deepcopy(self)
        got, theirs = BookedClaim("firm"), copy.claims[name]
        own = Books()
        for row in theirs.rows:
            own.add(*row[1:4], "available", theirs.open(row))
        left = own._first_that_can(got, lines, nodes)
        for row in theirs.rows:
            copy.add(*row[1:4], f"{theirs.kind}_claim", -theirs.open(row))
            copy.add(*row[1:4], "available", theirs.open(row))
        for row in got.rows:
            copy.add(*row[1:4], "available", -row[4])
            copy.add(*row[1:4], "firm_claim", row[4])
        lacks = copy._first_that_can(got, [(x, item, left[x]) for x, item, _ in lines if left[x]], nodes)
        if any(lacks.values()) and not (partial and got.rows):
            self.claims[mine] = BookedClaim("firm", state="refused")
            return "kept"
        used = {tuple(row[1:4]): sum(x[4] for x in got.rows if x[1:4] == row[1:4]) for row in got.rows}
        for row in theirs.rows:
            here = min(theirs.open(row), used.get(tuple(row[1:4]), 0))
            used[tuple(row[1:4])] = used.get(tuple(row[1:4]), 0) - here
            row[5] += here
            row[6] += theirs.open(row)
        theirs.state = "taken_over"
        self._become(copy, mine, got)
        return "taken"

    def _objection(self, name: str, who: tuple[str, str]) -> str:
        claim = self.claims[name]
        if claim.channel != who[1]:
            return "other_channel"
        if claim.taken_by not in ("", who[0]):
            return "other_order"
        return "" if claim.all_open else "ended"

    def _first_that_can(
        self, claim: BookedClaim, lines: list[tuple[str, str, int]], nodes: list[str]
    ) -> dict[str, int]:
        """Served by the first node that has everything, else by all in turn; what each line lacks."""
        for tried in ([node] for node in nodes):
            copy, attempt = deepcopy(self), deepcopy(claim)
            if not any(copy._serve(attempt, lines, tried).values()):
                self.shelf, claim.rows = copy.shelf, attempt.rows
                return {x[0]: 0 for x in lines}
        return self._serve(claim, lines, nodes)

    def _become(self, copy: "Books", name: str, claim: BookedClaim) -> None:
        self.shelf, self.claims = copy.shelf, copy.claims
        self.claims[name] = claim

    def _serve(
        self, claim: BookedClaim, lines: list[tuple[str, str, int]], nodes: list[str]
    ) -> dict[str, int]:
        lacks = {}
        for line, item, wanted in sorted(lines, key=lambda x: x[1] == "K"):
            left = wanted
            for node in nodes:
                if item != "K":
                    left -= self.take(claim, line, item, node, left)
                    continue
                kits = min(left, *(self.free(part, node) // one for part, one in KIT.items()))
                for part, one in KIT.items():
                    assert self.take(claim, line, part, node, one * kits) == one * kits
                left -= kits
            lacks[line] = left
        return lacks

    def end(
        self, name: str, parts: dict[tuple[str, str], int], target: str, *, expired: bool = False
    ) -> bool:
        """(line, item) → so much of it leaves the claim; False where it holds less."""
        claim = self.claims[name]
        if any(sum(claim.open(r) for r in claim.rows if (r[0], r[1]) == key) < n for key, n in parts.items()):
            return False
        for key, quantity in parts.items():
            left = quantity
            for row in claim.rows:
                here = min(left, claim.open(row))
                if (row[0], row[1]) == key and here > 0:
                    self.add(row[1], row[2], row[3], f"{claim.kind}_claim", -here)
                    if target != "outside":
                        self.add(row[1], row[2], row[3], target, here)
                    row[6 if target == "available" else 5] += here
                    left -= here
        claim.judge(expired=expired)
        return True

    def open_parts(self, name: str) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for row in self.claims[name].rows:
            found[row[0], row[1]] = found.get((row[0], row[1]), 0) + self.claims[name].open(row)
        return found

    def change(self, name: str, parts: dict[tuple[str, str], int], kind: str) -> bool:
        claim = self.claims[name]
        have = {key: [r for r in claim.rows if (r[0], r[1]) == key] for key in parts}
        if any(n < sum(r[5] + r[6] for r in have[key]) for key, n in parts.items()):
            return False
        named = {line for line, _ in parts}
        nodes = list(dict.fromkeys(r[2] for r in claim.rows if r[0] in named))
        more = [(key, n - sum(r[4] for r in have[key])) for key, n in parts.items() if have[key]]
        more = [(key, n) for key, n in more if n > 0]
        for tried in [*([node] for node in nodes), nodes]:
            copy = deepcopy(self)
            grown = copy.claims[name]
            if copy._all(grown, more, tried):
                self.shelf, self.claims = copy.shelf, copy.claims
                break
        else:
            if more:
                return False
        claim = self.claims[name]
        for key, n in parts.items():
            surplus = sum(r[4] for r in claim.rows if (r[0], r[1]) == key) - n
            for row in reversed(claim.rows):
                here = min(surplus, claim.open(row))
                if (row[0], row[1]) == key and here > 0:
                    self.add(row[1], row[2], row[3], f"{claim.kind}_claim", -here)
                    self.add(row[1], row[2], row[3], "available", here)
                    row[4] -= here
                    surplus -= here
        if kind and kind != claim.kind:
            for row in claim.rows:
                self.add(row[1], row[2], row[3], f"{claim.kind}_claim", -claim.open(row))
                self.add(row[1], row[2], row[3], f"{kind}_claim", claim.open(row))
            claim.kind = kind
        claim.judge()
        return True

    def _all(self, claim: BookedClaim, wanted: list[tuple[tuple[str, str], int]], nodes: list[str]) -> bool:
        for (line, item), quantity in wanted:
            left = quantity
            for node in nodes:
                left -= self.take(claim, line, item, node, left)
            if left > 0:
                return False
        return True

    def transfer(self, name: str, from_node: str, to_node: str) -> bool:
        copy = deepcopy(self)
        claim = copy.claims[name]
        wanted: dict[tuple[str, str], int] = {}
        for row in claim.rows:
            if row[2] == from_node and claim.open(row):
                wanted[row[0], row[1]] = wanted.get((row[0], row[1]), 0) + claim.open(row)
                copy.add(row[1], row[2], row[3], f"{claim.kind}_claim", -claim.open(row))
                copy.add(row[1], row[2], row[3], "available", claim.open(row))
                row[4] -= claim.open(row)
        if not copy._all(claim, list(wanted.items()), [to_node]):
            return False
        claim.judge()
        self.shelf, self.claims = copy.shelf, copy.claims
        return True
