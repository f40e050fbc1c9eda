"""Opening balances over HTTP: rows of a file are judged one by one, and taken unless it is a dry run."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec
from litestar import Request, Response, post

from crossdock.api.context import context
from crossdock.api.events import _admit, _submit
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.envelope import HUB, NewEvent
from crossdock.model.quantity import Quantity
from crossdock.model.stock import StockOpened, StockPlace
from crossdock.model.thread import stock_thread
from crossdock.processes.opening import Row, Said, judge
from crossdock.runtime.intake import Raw
from crossdock.views import openings as view


class Numbered(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`row`: its number in the file."""

    row: int


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """`as_of` is the instant at which the other system had these balances, `document` the name of the file."""

    as_of: datetime
    rows: list[msgspec.Raw]
    document: str = ""
    dry_run: bool = False


class Answer(Said, frozen=True, omit_defaults=True, kw_only=True):
    row: int


@post(
    "/v1/stock/openings",
    status_code=200,
    summary="Begin the ledger with another system's balances, up to 1000 rows",
)
async def open_balances(request: Request[Any, Any, Any]) -> Response[bytes]:
    """One verdict a row: new, as_before, different or wrong. A row that is wrong stops no other."""
    hub = context(request)
    who = hub.identify(request, "reconcile")
    _admit(hub, who.id)
    body = await request.body()
    asked = _read(body)
    rows, answers = _rows(asked)
    async with hub.reader.acquire() as connection:
        facts = await view.read_facts(connection, [(row.place, at) for row, at in rows])
    items, kept = [], hub.intake.keep(Raw(system=HUB, channel="openings", body=body))
    for row, at in rows:
        said = judge(row, at, facts, hub.hub.policy)
        answers.append(Answer(row=row.row, **msgspec.structs.asdict(said)))
        if said.verdict == "new" and not asked.dry_run:
            name = f"opening/{row.location}/{row.item}/{row.lot}/{row.owner}"
            data = StockOpened(
                row.place,
                Quantity(row.quantity, row.unit),
                f"{asked.document}:{row.row}",
                who.name,
                row.expires_on,
            )
            event = NewEvent(thread=stock_thread(row.location, row.item), data=data, id=name, occurred_at=at)
            content = blake2b(f"{data.quantity}|{at.isoformat()}".encode(), digest_size=16).digest()
            items.append(hub.intake.item(HUB, name, (event,), content=content, kept=kept))
    await _submit(hub, items)
    answers.sort(key=lambda x: x.row)
    return Response(msgspec.json.encode({"rows": answers}), media_type="application/json")


def _read(body: bytes) -> Asked:
    try:
        asked = read(Asked, body)
    except (Malformed, Rejected) as error:
        raise Problem(
            400, "bad-query", f"send as_of, rows, and optionally document and dry_run: {error}"
        ) from None
    if len(asked.rows) > view.ROWS_MAX:
        raise Problem(413, "too-large", f"up to {view.ROWS_MAX} rows at once, these are {len(asked.rows)}")
    if asked.as_of.tzinfo is None or asked.as_of > datetime.now(UTC):
        raise Problem(
            400, "bad-query", "as_of is an instant that has been, with its offset: 2026-11-26T08:00:00Z"
        )
    return asked


def _rows(asked: Asked) -> tuple[list[tuple[Numbered, datetime]], list[Answer]]:
    """(rows that can be read, each with its instant; the verdicts of the others)."""
    good: dict[StockPlace, tuple[Numbered, datetime]] = {}
    bad: list[Answer] = []
    for place, raw in enumerate(asked.rows, 1):
        try:
            row = msgspec.convert(msgspec.json.decode(raw), Numbered, strict=False)
        except msgspec.ValidationError as error:
            bad.append(_unread(place, raw, error))
            continue
        at = (row.as_of or asked.as_of).astimezone(UTC) if _aware(row.as_of) else None
        if at is None or at > datetime.now(UTC):
            bad.append(
                _wrong(
                    row.row,
                    "as_of",
                    f"{row.as_of} is no instant that has been",
                    "give it with its offset: 2026-11-26T08:00:00Z",
                )
            )
        elif row.place in good:
            first = good[row.place][0].row
            bad.append(
                _wrong(
                    row.row,
                    "item",
                    f"row {first} is of the same item, location, lot and owner",
                    "leave one row for each, with their sum",
                )
            )
        else:
            good[row.place] = row, at
    return list(good.values()), bad


def _aware(instant: datetime | None) -> bool:
    return instant is None or instant.tzinfo is not None


def _unread(place: int, raw: msgspec.Raw, error: msgspec.ValidationError) -> Answer:
    """The field is in the error's path, or named by the error where it is missing or nobody's."""
    text, _, path = str(error).partition(" - at `$.")
    named = path.rstrip("`") or next(iter(text.split("`")[1::2]), "")
    try:
        number = int(msgspec.json.decode(raw)["row"])
    except (ValueError, TypeError, KeyError):
        number = place
    return _wrong(
        number,
        named,
        text,
        "columns are item, location, quantity, unit, and optionally lot, owner, expires_on, as_of",
    )


def _wrong(row: int, field: str, detail: str, remedy: str) -> Answer:
    return Answer(row=row, verdict="wrong", field=field, detail=detail, remedy=remedy)
