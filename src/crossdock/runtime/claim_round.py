"""One round of the claim desk in memory: what was asked and done, decided on locked rows, and the answers. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

import msgspec

from crossdock.errors import Rejected
from crossdock.model.claim import (
    Act,
    AnswerLine,
    Change,
    ClaimAnswer,
    ClaimShare,
    ClaimView,
    ClaimWanted,
    Commit,
    Extend,
    PartWanted,
    Release,
    Source,
    Transfer,
)
from crossdock.model.quantity import Quantity
from crossdock.model.stock import ClaimLine
from crossdock.model.thread import hash16
from crossdock.processes.demand import Demand, Items, base
from crossdock.processes.intents import Claim
from crossdock.store import lifecycle
from crossdock.store.held import ZERO, Held
from crossdock.store.lifecycle import Lacking, Part
from crossdock.store.stock import Cause, Settled, Wish, grant

Said = Literal["done", "refused", "repeated", "different", "unknown", "ended", "wrong", "taken"]
encode = msgspec.json.Encoder(decimal_format="string").encode
answer_of = msgspec.json.Decoder(ClaimAnswer).decode
replace = msgspec.structs.replace


@dataclass(slots=True)
class Asking:
    """A claim that somebody wants, with what it comes to in the ledger."""

    wanted: ClaimWanted
    demands: tuple[Demand, ...]
    nodes: tuple[str, ...]
    fingerprint: bytes
    who: str
    said: Said = "unknown"
    answer: bytes = b""

    @property
    def lines(self) -> tuple[ClaimLine, ...]:
        if len(self.demands) == 1:
            return self.demands[0].lines
        return tuple(line for one in self.demands for line in one.lines)

    def repeats(self, before: tuple[bytes, bytes]) -> None:
        """The claim is there already, with this fingerprint and answer."""
        self.said = "repeated" if before[0] == self.fingerprint else "different"
        self.answer = before[1]


@dataclass(slots=True)
class Acting:
    """Something that shall be done with a claim; `key` tells its repeats."""

    claim: str
    act: Act
    key: bytes
    fingerprint: bytes
    who: str
    items: Items
    said: Said = "unknown"
    answer: bytes = b""
    lacking: tuple[Lacking, ...] = ()
    wrong: Rejected | None = None


@dataclass(frozen=True, slots=True)
class Instant:
    """When a round is decided: on the business clock, and in the log."""

    now: datetime
    as_of: str
    generation: int


Granted = tuple[Asking, Held, tuple[ClaimLine, ...], tuple[ClaimLine, ...]]
"""(who asked, the claim as it became, what it got, what it lacks)"""


@dataclass(slots=True)
class Round:
    """`asked` and `replied` are earlier answers by claim and by key, `held` the locked claims."""

    at: Instant
    asked: Mapping[str, tuple[bytes, bytes] | None]
    replied: Mapping[bytes, tuple[bytes, bytes]]
    held: Mapping[str, Held]
    granted: dict[str, Granted] = field(default_factory=dict)
    repeated: list[Asking] = field(default_factory=list)
    answers: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    replies: dict[bytes, tuple[bytes, bytes]] = field(default_factory=dict)

    def places(self, jobs: list[Asking | Acting]) -> set[tuple[str, str]]:
        """(item, location) of every balance that may be needed."""
        found: set[tuple[str, str]] = set()
        for job in jobs:
            if isinstance(job, Asking):
                for one in job.demands:
                    for line in one.lines:
                        nodes = job.nodes or (line.place.location,)
                        found.update((line.place.item, node) for node in nodes)
            elif job.claim in self.held:
                shares = self.held[job.claim].lines
                found.update((x.key[0], x.key[1]) for x in shares)
                if isinstance(job.act, Transfer):
                    found.update((x.key[0], job.act.to_node) for x in shares)
        return found

    def decide(self, settled: Settled, job: Asking | Acting) -> None:
        if isinstance(job, Asking):
            self._ask(settled, job)
        else:
            self._act(settled, job)

    def _ask(self, settled: Settled, job: Asking) -> None:
        name = job.wanted.claim
        if name in self.asked:
            job.repeats(self.asked[name] or (b"", b""))
            return
        if name in self.granted:
            self.repeated.append(job)
            return
        expiry = job.wanted.expires_in_seconds
        expires_at = None if expiry is None else self.at.now + timedelta(seconds=expiry)
        kits = tuple((one.line, one.kits) for one in job.demands if one.kits)
        claim = Claim(
            name, job.lines, job.nodes, job.wanted.mode == "partial", job.wanted.kind, expires_at, self.at.now.date(), kits,
            channel=job.wanted.channel,
        )  # fmt: skip
        thread = f"claim/{name}"
        wish = Wish(claim, hash16(thread), thread, f"{job.who}/claim/{name}", self.at.now)
        served, missing = grant(settled, wish, claim)
        self.granted[name] = (job, settled.claims[name], served, missing)

    def tell(self) -> list[str]:
        """Write the answers of what was granted or refused since the last time; returns those claims."""
        names = [*islice(self.granted, len(self.answers), None)]
        for name in names:
            job, held, served, missing = self.granted[name]
            lines = tuple(
                _answer_line(job.wanted, n, one, served, missing) for n, one in enumerate(job.demands)
            )
            state: Literal["pending", "refused"] = "refused" if held.state == "refused" else "pending"
            answer = ClaimAnswer(name, state, job.wanted.kind, lines, held.expires_at, self.at.as_of)
            job.said, job.answer = "done", encode(answer)
            self.answers[name] = (job.fingerprint, job.answer)
        for job in self.repeated:
            job.repeats(self.answers[job.wanted.claim])
        self.repeated.clear()
        return names

    def _act(self, settled: Settled, job: Acting) -> None:
        before = self.replies.get(job.key) or self.replied.get(job.key)
        if before is not None:
            job.said = "repeated" if before[0] == job.fingerprint else "different"
            job.answer = before[1]
            return
        held, told = settled.claims.get(job.claim), self.asked.get(job.claim)
        if held is None or told is None:
            job.said = "unknown"
            return
        if held.taken_by and held.state != "expired":
            job.said, job.answer = "taken", encode(view_of(held, self.at.as_of))
            return
        if held.ended:
            job.said, job.answer = "ended", encode(view_of(held, self.at.as_of))
            return
        cause = Cause(f"{job.who}/claim/{job.claim}/{job.key.hex()}", held.thread, self.at.now, held.id)
        try:
            job.lacking = self._do(settled, held, job, answer_of(told[1]), cause)
        except Rejected as error:
            job.said, job.wrong = "wrong", error
            return
        if job.lacking:
            job.said = "refused"
            return
        job.said, job.answer = "done", encode(view_of(held, self.at.as_of))
        self.replies[job.key] = (job.fingerprint, job.answer)

    def _do(
        self, settled: Settled, held: Held, job: Acting, told: ClaimAnswer, cause: Cause
    ) -> tuple[Lacking, ...]:
        match job.act:
            case Commit(lines=lines, to=to):
                return lifecycle.end(settled, held, _parts(lines, told, job.items), to, cause)
            case Release(lines=lines):
                return lifecycle.end(settled, held, _parts(lines, told, job.items), "available", cause)
            case Extend(expires_in_seconds=seconds):
                held.expires_at = None if seconds is None else self.at.now + timedelta(seconds=seconds)
                held.changed = True
                return ()
            case Change(lines=lines, kind=kind):
                wanted = _parts(lines, told, job.items) or []
                more = lifecycle.added(held, wanted)
                nodes = tuple(
                    dict.fromkeys(x.key[1] for x in held.lines if any(p.line == x.line for p in wanted))
                )
                lacking = lifecycle.change(settled, held, wanted, self._more(held, more, nodes), cause)
                if kind and not lacking:
                    lifecycle.change_kind(settled, held, kind, cause)
                return lacking
            case Transfer(from_node=from_node, to_node=to_node, lines=lines):
                parts = _parts(lines, told, job.items)
                asked, lacking = lifecycle.moved(held, from_node, to_node, parts)
                if lacking:
                    return lacking
                return lifecycle.transfer(settled, held, from_node, self._more(held, asked, ()), cause)

    def _more(self, held: Held, lines: tuple[ClaimLine, ...], nodes: tuple[str, ...]) -> Claim:
        return Claim(held.id, lines, nodes, kind=held.kind, good_on=self.at.now.date())


def _answer_line(
    wanted: ClaimWanted, place: int, one: Demand, served: tuple[ClaimLine, ...], missing: tuple[ClaimLine, ...]
) -> AnswerLine:  # fmt: skip
    lack = ZERO
    if missing:
        lacks = {x.place.item: x.quantity.value for x in missing if x.line == one.line}
        first = one.contents[0] if one.kits else None
        lack = (
            lacks.get(first.item, ZERO) / first.quantity.value if first else next(iter(lacks.values()), ZERO)
        )
    sources = tuple(
        Source(x.place.item, x.place.location, x.quantity, x.place.lot) for x in served if x.line == one.line
    )
    granted = Quantity(one.needed.value - lack, one.needed.unit) if lack else one.needed
    asked = wanted.lines[place]
    return AnswerLine(one.line, asked.item, asked.quantity, one.needed, granted, sources, one.contents)


def _parts(lines: tuple[PartWanted, ...] | None, told: ClaimAnswer, items: Items) -> list[Part] | None:
    """In base units and components. Raises `Rejected`."""
    if lines is None:
        return None
    parts: list[Part] = []
    for place, wanted in enumerate(lines):
        line = next((x for x in told.lines if x.line == wanted.line), None)
        if line is None:
            raise Rejected(f"/lines/{place}/line", f"the claim has no line {wanted.line}")
        quantity = base(items.get(line.item), wanted.quantity, f"/lines/{place}/quantity")
        if quantity.unit != line.needed.unit:
            raise Rejected(f"/lines/{place}/quantity/unit", f"{line.item} is held in {line.needed.unit}")
        if not line.contents:
            parts.append(Part(line.line, quantity.value, line.item))
        elif quantity.value != int(quantity.value):
            raise Rejected(f"/lines/{place}/quantity", f"{line.item} is a kit, which is not divided")
        else:
            parts += [Part(line.line, quantity.value * x.quantity.value, x.item) for x in line.contents]
    return parts


def view_of(held: Held, as_of: str) -> ClaimView:
    """A claim as it stands, share by share."""
    lines = tuple(
        ClaimShare(
            x.line, x.key[0], x.key[1], Quantity(x.quantity, x.unit), Quantity(x.posted, x.unit), Quantity(x.released, x.unit),
            Quantity(x.open, x.unit), x.key[2],
        )
        for x in held.lines
    )  # fmt: skip
    return ClaimView(
        held.id, held.state, held.kind, lines, held.expires_at, as_of, held.channel, held.taken_by
    )
