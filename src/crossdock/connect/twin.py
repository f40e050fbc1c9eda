"""The kit every twin is built with: a separate server process with its own durable books.

A twin's books are an SQLite file: documents, a journal of effects that really took place, and an outbox of
callbacks with the acknowledgements it got. All survive a SIGKILL. The control surface under `/_twin/` is what
the demo, the prover and the tests look at; it is never shown to the connector.

    GET  /_twin/health              {"twin": name}
    GET  /_twin/journal?after=N     [{"id", "at", "effect", "reference", "key", "detail"}]  what was really done
    GET  /_twin/outbox              {"sent": n, "acknowledged": n, "waiting": n}
    GET  /_twin/acknowledged        [{"id", "source_id", "reference", "topic", "status"}]
    GET  /_twin/quirks              {"name": rate}
    PUT  /_twin/quirks              {"name": rate}  sets the named ones; rate is a share of cases, 0 to 1

`twin_gate.py` adds the log of calls and the account's limits.
"""

import asyncio
import json
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web

from crossdock.connect.twin_gate import Gate

_SCHEMA = """
create table if not exists document (kind text, key text, body text, primary key (kind, key)) without rowid;
create table if not exists journal (
    id integer primary key, at real, effect text, reference text, key text, detail text);
create index if not exists journal_reference on journal (effect, reference);
create table if not exists outbox (
    id integer primary key, source_id text, reference text, topic text, url text, headers text, body blob,
    due real, tries integer default 0, status integer, copies integer default 1);
create index if not exists outbox_due on outbox (due) where status is null;
create table if not exists quirk (name text primary key, rate real) without rowid;
create table if not exists counter (name text primary key, value integer) without rowid;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSetup:
    """How one twin is started. `pace_seconds` is the time between two steps of its own work.

    A twin that does not speak HTTP listens at `base_url` itself (`app.cleanup_ctx`); its control surface is then
    served on a port of its own.
    """

    name: str
    system: str
    hub_url: str
    books: Path
    base_url: str = ""
    """The account's address at this twin."""
    seed: int = 1
    pace_seconds: float = 0.2
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


class Books:
    """A twin's memory. All writes of one request go into one `with books.change()` block: committed or not at all."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(
            "pragma journal_mode=wal; pragma synchronous=normal; pragma busy_timeout=5000;"
        )
        self._db.executescript(_SCHEMA)

    @contextmanager
    def change(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def put(self, kind: str, key: str, body: Any) -> None:
        self._db.execute("insert or replace into document values (?, ?, ?)", (kind, key, json.dumps(body)))

    def get(self, kind: str, key: str) -> Any:
        row = self._db.execute("select body from document where kind = ? and key = ?", (kind, key)).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[tuple[str, Any]]:
        rows = self._db.execute("select key, body from document where kind = ? order by key", (kind,))
        return [(key, json.loads(body)) for key, body in rows]

    def remove(self, kind: str, key: str) -> None:
        self._db.execute("delete from document where kind = ? and key = ?", (kind, key))

    def next_number(self, name: str, start: int = 1) -> int:
        """A gap-free counter, e.g. document numbers."""
        self._db.execute(
            "insert into counter values (?, ?) on conflict (name) do update set value = value + 1",
            (name, start),
        )
        return int(self._db.execute("select value from counter where name = ?", (name,)).fetchone()[0])

    def journal(self, effect: str, reference: str, key: str, detail: Any = None) -> None:
        """Record that `effect` (the hub's effect kind) really took place for `reference`, as document `key`."""
        self._db.execute(
            "insert into journal (at, effect, reference, key, detail) values (?, ?, ?, ?, ?)",
            (time.time(), effect, reference, key, json.dumps(detail)),
        )

    def journalled(self, effect: str, reference: str) -> str | None:
        """The document key of an earlier effect, if there was one."""
        row = self._db.execute(
            "select key from journal where effect = ? and reference = ? order by id limit 1",
            (effect, reference),
        ).fetchone()
        return str(row[0]) if row else None

    def call_back(
        self, *, topic: str, reference: str, source_id: str, url: str, headers: Mapping[str, str], body: bytes,
        delay_seconds: float = 0.0, copies: int = 1,
    ) -> None:  # fmt: skip
        """Queue a webhook; it is sent until the hub answers 2xx."""
        self._db.execute(
            "insert into outbox (source_id, reference, topic, url, headers, body, due, copies)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source_id,
                reference,
                topic,
                url,
                json.dumps(dict(headers)),
                body,
                time.time() + delay_seconds,
                copies,
            ),
        )

    def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, arguments).fetchall()

    def write(self, sql: str, *arguments: Any) -> None:
        self._db.execute(sql, arguments)


class Quirks:
    """Documented misbehaviour, switched by rate and rolled from a seed."""

    def __init__(self, books: Books, known: Mapping[str, str], seed: int) -> None:
        self._books = books
        self._known = known
        self._seed, self._random = seed, random.Random(seed)
        self._rates = dict.fromkeys(known, 0.0) | dict(books.rows("select name, rate from quirk"))

    def hits(self, name: str, of: str = "") -> bool:
        """True in the configured share of cases.

        Twins that meet the same thing `of` the world, a truck say, find it alike where they know its quirk by one name.
        """
        assert name in self._known, f"quirk {name} is not in the manifest"
        rate = self._rates[name]
        roll = random.Random(f"{self._seed} {name} {of}") if of else self._random
        return rate > 0 and roll.random() < rate

    @property
    def rates(self) -> dict[str, float]:
        return dict(self._rates)

    def set(self, rates: Mapping[str, float]) -> None:
        unknown = sorted(set(rates) - set(self._known))
        if unknown:
            raise web.HTTPUnprocessableEntity(text=f"unknown quirks: {', '.join(unknown)}")
        for name, rate in rates.items():
            self._rates[name] = float(rate)
            with self._books.change():
                self._books.write("insert or replace into quirk values (?, ?)", name, float(rate))


class Twin:
    """What a twin's own code gets: its books, its quirks, its set-up, and a loop for its own work."""

    def __init__(self, setup: TwinSetup, quirks: Mapping[str, str]) -> None:
        self.setup = setup
        self.books = Books(setup.books)
        self.quirks = Quirks(self.books, quirks, setup.seed)
        gate = Gate()
        self.app = web.Application(client_max_size=16 * 1024 * 1024, middlewares=[gate.watch])
        self._work: list[Callable[[], Awaitable[None]]] = []
        self.app.add_routes([*_control_routes(self), *gate.routes()])
        self.app.cleanup_ctx.append(self._run)

    def every_tick(self, step: Callable[[], Awaitable[None]]) -> None:
        """Call `step` about every 50 ms for as long as the twin lives; it looks in the books for what is due."""
        self._work.append(step)

    async def _run(self, _: web.Application) -> Any:
        tasks = [asyncio.create_task(_repeat(step)) for step in self._work]
        tasks.append(asyncio.create_task(_send_outbox(self)))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(step: Callable[[], Awaitable[None]]) -> None:
    while True:
        await step()
        await asyncio.sleep(0.05)


class _Due(NamedTuple):
    """A callback whose time has come."""

    row: int
    url: str
    headers: str
    body: bytes
    tries: int
    copies: int


async def _send_outbox(twin: Twin) -> None:
    """Deliver due callbacks, up to 16 at a time; a failed one comes back after 0.5, 1, 2 … 10 seconds."""
    timeout = aiohttp.ClientTimeout(total=5, sock_connect=1)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            due = twin.books.rows(
                "select id, url, headers, body, tries, copies from outbox where status is null and due <= ?"
                " order by due limit 16",
                time.time(),
            )
            await asyncio.gather(*(_send_one(twin, session, _Due(*row)) for row in due))
            await asyncio.sleep(0 if len(due) == 16 else 0.05)


async def _send_one(twin: Twin, session: aiohttp.ClientSession, due: _Due) -> None:
    status = 0
    for _ in range(due.copies):
        try:
            async with session.post(due.url, data=due.body, headers=json.loads(due.headers)) as answer:
                await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            status = 0
    final = 200 <= status < 300 or (400 <= status < 500 and status not in (401, 404, 408, 429))
    with twin.books.change():
        if final:
            twin.books.write("update outbox set status = ?, tries = tries + 1 where id = ?", status, due.row)
        else:
            wait = min(10.0, 0.5 * 2**due.tries)
            twin.books.write(
                "update outbox set tries = ?, due = ? where id = ?",
                due.tries + 1,
                time.time() + wait,
                due.row,
            )


def _control_routes(twin: Twin) -> list[web.RouteDef]:
    async def health(_: web.Request) -> web.Response:
        return web.json_response({"twin": twin.setup.name, "system": twin.setup.system})

    async def journal(request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        rows = twin.books.rows(
            "select id, at, effect, reference, key, detail from journal where id > ? order by id", after
        )
        names = ("id", "at", "effect", "reference", "key", "detail")
        return web.json_response(
            [dict(zip(names, (*row[:5], json.loads(row[5])), strict=True)) for row in rows]
        )

    async def outbox(_: web.Request) -> web.Response:
        [(sent, good)] = twin.books.rows("select count(*), count(status) from outbox")
        return web.json_response({"sent": sent, "acknowledged": good, "waiting": sent - good})

    async def acknowledged(_: web.Request) -> web.Response:
        names = ("id", "source_id", "reference", "topic", "status")
        rows = twin.books.rows(f"select {', '.join(names)} from outbox where status is not null order by id")
        return web.json_response([dict(zip(names, row, strict=True)) for row in rows])

    async def get_quirks(_: web.Request) -> web.Response:
        return web.json_response(twin.quirks.rates)

    async def put_quirks(request: web.Request) -> web.Response:
        twin.quirks.set(await request.json())
        return web.json_response(twin.quirks.rates)

    return [
        web.get("/_twin/health", health), web.get("/_twin/journal", journal), web.get("/_twin/outbox", outbox),
        web.get("/_twin/acknowledged", acknowledged), web.get("/_twin/quirks", get_quirks),
        web.put("/_twin/quirks", put_quirks),
    ]  # fmt: skip


async def lose_answer(request: web.Request) -> web.StreamResponse:
    """Drop the connection without an answer, after whatever was committed: the caller cannot know."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # it goes nowhere
