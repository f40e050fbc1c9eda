"""`prove claims`: many callers claim and use scarce stock while API, worker and PostgreSQL are killed; then the ledger is judged.

Whoever got an answer gets the same one again, nothing is oversold, and the entries add up to the balances.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from hashlib import blake2b
from time import monotonic
from typing import Any

import aiohttp

from crossdock.bench.lifecycle import WMS, _event
from crossdock.bench.stage import BenchHub
from crossdock.model.master import Component, ItemDefined, ItemUnit
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockPlace, StockReceived
from crossdock.model.thread import stock_thread
from crossdock.store.ledger_law import differences
from crossdock.store.pool import connect
from crossdock.store.stock import BUCKETS

CALLERS = 64
ITEMS, KITS = 100, 20
"""Of the items, the last are kits of two others: components are shared."""
NODES = ("NODE-A", "NODE-B")
EACH_PER_CLAIM = 3
"""So much of all items together is there for each claim: some must be refused."""
RESUME_SECONDS_MAX = 60.0
AGAIN_MAX = 100_000
"""So many answers are asked for again; of more, by chance."""
KILLED = ("api", "worker", "postgres")
AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError, asyncio.TimeoutError)
Progress = Callable[[str, int, int], None]
Call = tuple[str, str, dict[str, Any]]
"""(path, idempotency key, body)"""


@dataclass
class Proof:
    """What `prove claims` prints."""

    claims: int = 0
    kills: int = 0
    seed: int = 0
    granted: int = 0
    refused: int = 0
    acts: int = 0
    asked_again: int = 0
    """Requests that nobody answered, and that were sent once more."""
    oversold: int = 0
    """Buckets below nothing."""
    lost_answers: int = 0
    """Answers that a repeat did not get again."""
    data: str = ""
    """Where the hub's data was left, when there is something to look for in it."""
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.oversold or self.lost_answers or self.differences)

    def as_json(self) -> str:
        return json.dumps(asdict(self))


class Callers:
    """Sixty-four programs that ask until they are answered, and remember what they were told."""

    def __init__(self, hub: BenchHub, proof: Proof) -> None:
        self._hub = hub
        self.proof = proof
        self.begun = 0
        self.told: list[tuple[bytes, int, bytes]] = []
        """(call, status, digest of the answer)."""

    async def run(self, claims: int, progress: Progress) -> None:
        numbers = iter(range(claims))

        async def caller() -> None:
            async with self._session() as session:
                for number in numbers:
                    self.begun = number
                    await self._live(session, number)
                    progress("claims", number + 1, claims)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            f"http://127.0.0.1:{self._hub.port}", headers={"Authorization": f"Bearer {self._hub.token}"},
            timeout=aiohttp.ClientTimeout(total=10),
        )  # fmt: skip

    async def _live(self, session: aiohttp.ClientSession, number: int) -> None:
        """The life of one claim, the same for the same seed."""
        dice = random.Random(f"{self.proof.seed}/{number}")
        claim = f"claim-{number}"
        status, answer = await self._call(session, ("/v1/claims", "", _wanted(claim, dice)))
        self.proof.granted += status in (200, 201)
        self.proof.refused += status == 409
        if status == 409:
            return
        for turn in range(dice.choice((0, 1, 1, 2))):
            path, body = _act(answer, dice)
            await self._call(session, (f"/v1/claims/{claim}/{path}", f"{claim}/{turn}", body))
            self.proof.acts += 1

    async def _call(self, session: aiohttp.ClientSession, call: Call) -> tuple[int, Any]:
        path, key, body = call
        end = monotonic() + RESUME_SECONDS_MAX
        while True:
            try:
                async with session.post(
                    path, json=body, headers={"Idempotency-Key": key} if key else {}
                ) as answer:
                    if answer.status < 500:
                        found = answer.status, await answer.json(content_type=None)
                        break
            except AWAY:
                pass
            assert monotonic() < end, f"no answer to {path} for {RESUME_SECONDS_MAX:.0f} s"
            self.proof.asked_again += 1
            await asyncio.sleep(0.05)
        assert found[0] in (200, 201, 409), found
        # A refused act was no act: asked again later it may be granted, so only what was done must be told again.
        if found[0] != 409 or path == "/v1/claims":
            self.told.append((json.dumps(call).encode(), found[0], _digest(found[1])))
        return found

    async def ask_again(self, progress: Progress) -> list[str]:
        """What a repeat is told otherwise than the first time."""
        lost: list[str] = []
        asked = random.Random(self.proof.seed).sample(self.told, min(AGAIN_MAX, len(self.told)))
        calls = iter(asked)
        done = 0

        async def caller() -> None:
            nonlocal done
            async with self._session() as session:
                for told, status, digest in calls:
                    call = json.loads(told)
                    again, answer = await self._call(session, call)
                    if (again == 409) != (status == 409) or _digest(answer) != digest:
                        lost.append(
                            f"{call[0]} {call[2].get('claim', '')}: {status} before, {again} now: {answer}"
                        )
                    done += 1
                    progress("asking again", done, len(asked))

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return lost


def _digest(answer: dict[str, Any]) -> bytes:
    """A problem has a trace id of its own; an answer is the same to the last byte."""
    meant = json.dumps({k: v for k, v in answer.items() if k != "trace_id"})
    return blake2b(meant.encode(), digest_size=16).digest()


def _wanted(claim: str, dice: random.Random) -> dict[str, Any]:
    lines = []
    for item in dice.sample(range(ITEMS), dice.choice((1, 1, 1, 2, 3))):
        case = item < ITEMS - KITS and dice.random() < 0.1
        quantity = {"value": "1" if case else str(dice.choice((1, 1, 2, 3))), "unit": "CS" if case else "EA"}
        lines.append({"item": f"I-{item}", "quantity": quantity})
    nodes = dice.sample(NODES, 2)
    wanted = {"claim": claim, "lines": lines, "nodes": nodes, "kind": dice.choice(("soft", "firm")), "mode": dice.choice(("all_or_nothing", "partial"))}  # fmt: skip
    return wanted | ({"expires_in_seconds": dice.randint(1, 6)} if dice.random() < 0.3 else {})


def _act(answer: dict[str, Any], dice: random.Random) -> tuple[str, dict[str, Any]]:
    held = next(
        (x for x in answer["lines"] if Decimal(x.get("granted", x.get("quantity"))["value"]) > 0), None
    )
    part = [{"line": held["line"], "quantity": {"value": "1", "unit": "EA"}}] if held else None
    from_node, to_node = dice.sample(NODES, 2)
    return dice.choice((
        ("commit", {"lines": part}), ("commit", {"to": "outside"}), ("release", {"lines": part}), ("release", {}),
        ("extend", {"expires_in_seconds": dice.randint(1, 5)}), ("change", {"lines": part or [], "kind": "firm"}),
        ("transfer", {"from_node": from_node, "to_node": to_node}),
    ))  # fmt: skip


async def run(*, claims: int, kills: int, seed: int, progress: Progress) -> Proof:
    """The whole proof on a fresh hub."""
    began = monotonic()
    proof = Proof(claims=claims, kills=kills, seed=seed)
    async with BenchHub(("api", "worker", "delivery")) as hub:
        await _open_books(hub, claims)
        callers = Callers(hub, proof)
        life = asyncio.create_task(callers.run(claims, progress))
        await _break(hub, callers, life, progress)
        await life
        await _quiet(hub)
        lost = await callers.ask_again(progress)
        proof.lost_answers = len(lost)
        proof.differences = lost[:20] + await _judge(hub, proof)
        if not proof.good:
            hub.keep, proof.data = True, str(hub.folder)
    proof.seconds = round(monotonic() - began, 1)
    return proof


async def _open_books(hub: BenchHub, claims: int) -> None:
    """Items with cases of twelve, kits of two of them, and scarce stock at two nodes."""
    plain = ITEMS - KITS
    events = []
    for n in range(ITEMS):
        parts = () if n < plain else (
            Component(f"I-{(n * 7) % plain}", Quantity(Decimal(2))), Component(f"I-{(n * 11) % plain}", Quantity(Decimal(1))),
        )  # fmt: skip
        item = ItemDefined(f"I-{n}", units=(ItemUnit("CS", 12),), components=parts)
        events.append(_event("prover", f"item-{n}", f"item/I-{n}", item))
    each = Quantity(Decimal(max(2, claims * EACH_PER_CLAIM // plain // len(NODES))))
    for n in range(plain):
        for node in NODES:
            received = StockReceived(StockPlace(f"I-{n}", node), each)
            events.append(_event(WMS, f"stock-{n}-{node}", stock_thread(node, f"I-{n}"), received))
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {hub.token}"}) as session:
        body = b"[" + b",".join(events) + b"]"
        async with session.post(f"http://127.0.0.1:{hub.port}/v1/events/batch", data=body) as answer:
            assert answer.status == 200, await answer.text()
    while await hub.db.fetchval("select count(*) from stock_balance where available > 0") < plain * len(
        NODES
    ):
        await asyncio.sleep(0.1)
    while await hub.db.fetchval("select count(*) from thread_state where kind = 'item'") < ITEMS:
        await asyncio.sleep(0.1)


async def _break(hub: BenchHub, callers: Callers, life: asyncio.Task[None], progress: Progress) -> None:
    """SIGKILLs of API, worker and PostgreSQL in turn by chance, spread over all claims."""
    proof = callers.proof
    dice = random.Random(proof.seed)
    whom = list(KILLED) * proof.kills
    dice.shuffle(whom)
    for number, role in enumerate(whom):
        due = (number + dice.random()) / len(whom) * proof.claims
        while callers.begun < due and not life.done():
            await asyncio.sleep(0.02)
        pids = json.loads((hub.hub.private / "status.json").read_text())["pids"]
        pid = next((pid for name, pid in pids.items() if name.partition("-")[0] == role), None)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        progress("kills", number + 1, len(whom))


async def _quiet(hub: BenchHub) -> None:
    """All claims whose time is up are expired: nothing moves any more."""
    end = monotonic() + RESUME_SECONDS_MAX
    connection = None
    while monotonic() < end:
        with contextlib.suppress(*AWAY, OSError):
            connection = connection or await connect(hub.hub.dsn)
            if not await connection.fetchval(
                "select count(*) from claim where ended_at is null and expires_at is not null"
            ):
                break
        await asyncio.sleep(0.2)
    if connection is not None:
        await connection.close()


async def _judge(hub: BenchHub, proof: Proof) -> list[str]:
    connection = await connect(hub.hub.dsn)
    try:
        below = " + ".join(f"({bucket} < 0)::int" for bucket in BUCKETS)
        proof.oversold = await connection.fetchval(
            f"select coalesce(sum({below}), 0)::int from stock_balance"
        )
        found = await differences(connection)
        waiting = await connection.fetchval(
            "select count(*) from claim where ended_at is null and expires_at < clock_timestamp()"
        )
        doubled = await connection.fetchval(
            "select count(*) from (select claim from stock_entry where cause like 'expiry/%' group by claim, balance, cause, from_bucket"
            " having count(distinct xmin::text) > 1) as twice"
        )
    finally:
        await connection.close()
    found += [f"{waiting} claims are past their expiry and still open"] if waiting else []
    return found + ([f"{doubled} claims expired twice"] if doubled else [])
