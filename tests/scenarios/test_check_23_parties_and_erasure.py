"""DOMAIN check 23: places by GLN and by ship-to code, drop-ship, data minimisation, and erasure that keeps the audit chain."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import asyncpg
import pytest
import yaml

from crossdock.demo.twins import Twins
from crossdock.store.codes import READ_EVERY_SECONDS
from e2e.running import Answer, Api, RunningHub, eventually, rows
from scenarios.callers import define
from scenarios.conftest import trading
from scenarios.goods import make_known
from scenarios.group import Group
from scenarios.test_check_27_corrections import colleague

NODE, SUPPLIER, WOO = "DROP1", "portal", "woo-us"
NAME, MAIL, STREET, PHONE = (
    "Ottilie Zwetschgenbaum",
    "ottilie.z@example.net",
    "Pflaumenallee 77",
    "+4934155501",
)
OTTILIE: Final = {
    "id": 77_000_123, "first_name": "Ottilie", "last_name": "Zwetschgenbaum", "email": MAIL, "phone": PHONE,
    "address1": STREET, "city": "Leipzig", "zip": "04109", "country_code": "DE",
}  # fmt: skip
PERSONAL: Final = (NAME, MAIL, STREET, PHONE, "Zwetschgenbaum")


@pytest.fixture(scope="module")
def auditing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningHub, Twins]]:
    """A hub whose checkpoints leave it every few seconds, and whose American shop is served by a supplier."""
    directory: Path = tmp_path_factory.mktemp("audit") / "hub"

    def prepared(routing: dict[str, Any]) -> None:
        routing["nodes"][NODE] = {"kind": "supplier", "warehouse": SUPPLIER, "erp": "sap-2"}
        next(x for x in routing["orders"] if x.get("channel") == [WOO])["nodes"] = [NODE]
        hub = yaml.safe_load((directory / "hub.yaml").read_text())
        elsewhere = str(directory.parent / "elsewhere")
        hub["settings"] |= {"audit_checkpoint_seconds": 2, "audit_checkpoints": elsewhere}
        (directory / "hub.yaml").write_text(yaml.safe_dump(hub))

    with trading(directory, prepared) as made:
        yield made


@pytest.fixture
async def group(auditing: tuple[RunningHub, Twins]) -> AsyncIterator[Group]:
    hub, twins = auditing
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        made = Group(Api(hub, session), twins, seed=23)
        yield made
        await made.calm()


def verified(group: Group, *arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, what it said) of walking the chain."""
    done = group.api.hub.crossdock("audit", "verify", "--json", *arguments)
    return done.returncode, json.loads(done.stdout)


async def until_sealed(group: Group) -> dict[str, Any]:
    """Everything up to now is in the chain, and a checkpoint of it is elsewhere."""
    [now] = await rows(group.api.hub, "select clock_timestamp() as at")

    async def sealed() -> dict[str, Any] | None:
        found = await group.api.get("/v1/audit")
        at = found["sealed_at"] and found["checkpoint_link"] == found["head"] and found["sent_at"]
        return found if at and found["sealed_at"] > now["at"].isoformat() else None

    async def something_new() -> None:
        await group.api.post(
            "/v1/events",
            {
                "specversion": "1.0", "id": now["at"].isoformat(), "source": "wms-1", "subject": "item/AUDIT",
                "type": "crossdock.logistics.item.defined.v1", "data": {"item": "AUDIT"},
            },
        )  # fmt: skip

    await something_new()
    found = await eventually(sealed, what="the chain has caught up")
    assert isinstance(found, dict)
    return found


async def ask(group: Group, path: str, body: dict[str, Any], who: dict[str, str] | None = None) -> Answer:
    """A POST, as soon as the hub knows this token."""

    async def known() -> Answer | None:
        answer = await group.api.call("POST", path, json.dumps(body).encode(), headers=who or {})
        return answer if answer.status != 401 else None

    found = await eventually(known, what="the token is known")
    assert isinstance(found, Answer)
    return found


async def where_it_stands(hub: RunningHub, *values: str) -> list[str]:
    """table.column of every value that can be read in the database, whatever the type of the column."""
    connection = await asyncpg.connect(hub.dsn)
    try:
        columns = await connection.fetch(
            "select c.table_name, c.column_name, c.data_type from information_schema.columns c join information_schema.tables t"
            " using (table_schema, table_name) where table_schema = 'public' and t.table_type = 'BASE TABLE'"
        )
        found = []
        for table, column, kind in columns:
            there = (
                f"position(convert_to($1, 'UTF8') in \"{column}\") > 0"
                if kind == "bytea"
                else f"\"{column}\"::text ilike '%' || $1 || '%'"
            )
            for value in values:
                if await connection.fetchval(f'select 1 from "{table}" where {there} limit 1', value):
                    found.append(f"{table}.{column}: {value}")
        return found
    finally:
        await connection.close()


async def told_in_one_message(group: Group, *references: str) -> str:
    """The orders again, as they were, in one batch; the message's id."""
    events = []
    for number, reference in enumerate(references):
        document = await revealed(group, f"order/{reference}")
        shop, _, _ = reference.partition("/")
        subject = f"customer/{shop}/{document['people_id']}"
        events.append({
            "specversion": "1.0", "id": f"again-{number}-{reference}", "source": shop, "subject": f"order/{reference}",
            "type": "crossdock.logistics.order.received.v1",
            "data": document["data"] | {"people": document["people"], "subject": subject, "people_mark": ""},
        })  # fmt: skip
    answer = await group.api.post("/v1/events/batch", events)
    assert answer.status == 200, answer.body
    [found] = await rows(
        group.api.hub, "select distinct message::text from event where event_id like 'again-0-%'"
    )
    return str(found["message"])


async def lineage_of(group: Group, thread: str, **query: str) -> dict[str, Any]:
    """Of the first event of an order."""
    story = await group.api.get(f"/v1/threads/story/{thread}", limit="500")
    ref = next(x for x in reversed(story["timeline"]) if x["type"] == "order.received.v1")["lineage"]["event"]
    found = await group.api.get(f"/v1/lineage/{quote(ref)}", **query)
    assert isinstance(found, dict)
    return found


async def revealed(group: Group, thread: str) -> dict[str, Any]:
    """The canonical order with its people, and the customer's number from the raw message."""
    found = await lineage_of(group, thread, reveal="true", reason="the test needs it")
    document = json.loads(found["canonical"][0]["body"])
    document["people_id"] = json.loads(found["raw"][0]["body"])["customer"]["id"]
    return dict(document)


async def test_a_gln_and_a_partners_code_are_one_place(group: Group) -> None:
    """Goods told of by either lie in one place; a mistyped number is not bound, and a case says why."""
    gln, theirs, item = "4012345000122", "SHIPTO-0815", "GLN-1"
    place = {
        "location": "STORE-9",
        "description": "Store",
        "gln": gln,
        "codes": [{"system": "wms-2", "code": theirs}],
    }
    await group.say(
        "sap-1", "location", "location.defined.v1", place | {"gln": "4012345000123"}, "store-9-wrong"
    )
    case = await group.until_case("location/STORE-9", "master data")
    assert "4012345000123 is no Global Location Number" in case["title"]
    assert (await group.api.get("/v1/master/location/STORE-9"))["record"] is None

    await group.say("sap-1", "location", "location.defined.v1", place, "store-9")

    async def closed() -> bool:
        return await group.cases("location/STORE-9") == []

    await eventually(closed, what="the right number closes the case")
    by_gln = await group.api.get(f"/v1/master/location/{gln}")
    by_code = await group.api.get(f"/v1/master/location/{theirs}", system="wms-2")
    assert by_gln["code"] == by_code["code"] == "STORE-9"
    await define(group, item)

    async def one_place() -> bool:
        for number, (source, called) in enumerate((("wms-1", gln), ("wms-2", theirs))):
            event = {
                "specversion": "1.0", "id": f"gln-{number}-{uuid4().hex}", "source": source, "subject": f"stock/STORE-9/{item}",
                "type": "crossdock.logistics.stock.received.v1",
                "data": {"place": {"item": item, "location": called}, "quantity": {"value": "1", "unit": "EA"}},
            }  # fmt: skip
            assert (await group.api.post("/v1/events", event)).status == 202
        await asyncio.sleep(1)
        found = await rows(
            group.api.hub, "select location, available from stock_balance where item = $1", item
        )
        return {x["location"] for x in found} == {"STORE-9"} and found[0]["available"] >= 2

    await asyncio.sleep(READ_EVERY_SECONDS + 1)  # by then every process knows the codes
    await eventually(one_place, what="both are the same place")


async def test_a_supplier_is_told_the_address_and_no_more(group: Group) -> None:
    """Not what it cost, not how to reach the customer; who writes the mails is told name and address for them."""
    await make_known(group, "DROP-23")
    await group.twin(WOO, "/products", {"DROP-23": {}}, "PUT")
    person = {
        "first_name": "Otto",
        "last_name": "Quittenbaum",
        "email": "otto.q@example.net",
        "phone": "+4934155502",
    }
    reference = await group.buy(("DROP-23", 1), shop=WOO, customer=person)

    async def told() -> dict[str, Any] | None:
        found = [
            x["data"]
            for x in await group.twin(SUPPLIER, "/notifications")
            if x["type"] == "warehouse_order.release"
        ]
        return next((x for x in found if x["reference"] == reference), None)

    release = await eventually(told, what="the supplier has it")
    assert release["ship_to"]["name"] == "Otto Quittenbaum"
    assert {"lines", "city", "country"} <= set(release["ship_to"])
    assert set(release["ship_to"]) <= {"name", "company", "lines", "city", "region", "postal_code", "country"}
    assert not any(x in json.dumps(release) for x in (person["email"], person["phone"], "price", "amount"))
    await group.cancel(reference)
    await group.until(reference, "cancelled")


async def test_a_person_is_erased_and_the_chain_still_holds(group: Group) -> None:
    """While an order runs it is refused; then nothing of the person can be read anywhere, and the goods' story stays."""
    hub = group.api.hub
    item = "SHORT-1"
    held = await group.api.post(
        "/v1/holds", {"scope": "item", "name": item, "reason": f"{NAME} asked us to wait"}
    )
    first = await group.buy((item, 2), customer=OTTILIE)
    other = await group.buy(("OVER-1", 1))
    await group.story(f"order/{first}")

    refused = await ask(group, "/v1/erasures", {"order": first, "reason": "asked for by letter"})
    assert (refused.status, refused.problem["code"]) == (409, "still-open")
    assert "when_done" in refused.problem["detail"]

    number = held.json()["hold"]["id"]
    await group.api.call("DELETE", f"/v1/holds/{number}", b'{"reason": "goes on"}')
    for reference in (first, other):
        await group.until(reference, "completed")
    batch = await told_in_one_message(group, first, other)
    await noted_in_a_case(group, first)
    invoices = await group.booked(first, "invoice.release")
    assert await where_it_stands(hub, *PERSONAL) != []  # what people wrote of her is not sealed
    await until_sealed(group)
    code, before = verified(group)
    assert (code, before["breaks"]) == (0, [])
    lineage = await lineage_of(group, f"order/{first}")
    message = lineage["raw"][0]["message"]

    preview = (await ask(group, "/v1/erasures/preview", {"email": MAIL.upper()})).json()
    assert {f"order/{first}"} < {x["thread"] for x in preview["threads"]}
    assert [x["message"] for x in preview["kept"]] == [batch]
    assert {"sales_order.create", "label.create"} <= {x["kind"] for x in preview["elsewhere"]}
    assert not any(value in json.dumps(preview) for value in PERSONAL)

    async def settled() -> bool:
        found = (await ask(group, "/v1/erasures/preview", {"order": first})).json()
        return found["waits"] == []

    await eventually(settled, what="nothing of hers is under way")
    asked = await ask(group, "/v1/erasures", {"order": first, "reason": "asked for by letter"})
    assert (asked.status, asked.json()["erasure"]["state"]) == (201, "proposed")
    name = asked.json()["erasure"]["name"]
    own = await ask(group, f"/v1/erasures/{name[2:]}/approve", {"reason": "mine"})
    assert (own.status, own.problem["code"]) == (403, "four-eyes")
    done = await ask(group, f"/v1/erasures/{name[2:]}/approve", {"reason": "seen"}, colleague(group, "ada"))
    assert (done.status, done.json()["erasure"]["state"]) == (200, "done"), done.body

    await nothing_is_left(group, first, message, batch)
    assert await group.booked(first, "invoice.release") == invoices
    await until_sealed(group)
    code, after = verified(group)
    assert (code, after["breaks"]) == (0, [])
    assert after["redacted"] >= 1
    assert after["rows"] > before["rows"]

    again = await group.buy(("OVER-1", 1), customer=OTTILIE)
    await group.until(again, "completed")
    assert (await revealed(group, f"order/{again}"))["people"]["buyer"]["email"] == MAIL


async def noted_in_a_case(group: Group, reference: str) -> None:
    """A colleague's note on a case that is closed uses the surname alone. (Written as it stands: no case opens on demand.)"""
    connection = await asyncpg.connect(group.api.hub.dsn)
    try:
        await connection.execute(
            "with c as (insert into cases (fingerprint, class, cause, title, state, closed_at) values ('noted', 'value', 'address',"
            " 'address asked for', 'closed', now()) returning id), l as (insert into case_link (case_id, thread, thread_key, closed_at)"
            " select c.id, t.thread, t.thread_key, now() from c, thread_state t where t.thread_key = $1)"
            " insert into case_note (case_id, who, action, note) select id, 'ann', 'comment', 'Mrs Zwetschgenbaum called' from c",
            f"order/{reference}",
        )
    finally:
        await connection.close()


async def nothing_is_left(group: Group, reference: str, message: str, batch: str) -> None:
    """What can be asked of the hub, its database and its logs after an erasure."""
    hub, thread = group.api.hub, f"order/{reference}"
    assert await where_it_stands(hub, *PERSONAL) == []
    assert not any(value in hub.logs() for value in PERSONAL)
    found = await lineage_of(group, thread, reveal="true", reason="look what is left")
    assert "erased on 20" in found["raw"][0]["body"]
    assert "erased on 20" in json.loads(found["canonical"][0]["body"])["people"]

    async def told() -> bool:
        story = await group.api.get(f"/v1/threads/story/{thread}", limit="500")
        return any(x["type"] == "person.erased.v1" for x in story["timeline"])

    await eventually(told, what="the story says that she was erased")
    assert await rows(hub, "select thread_key from thread_state where parked is not null") == []
    story = await group.story(thread)
    assert [(x["item"], x["shipped"]) for x in story["lines"]] == [("SHORT-1", "2")]
    assert story["phase"] == "completed"
    for words in (MAIL, NAME):
        assert (await group.api.get("/v1/find", q=words))["hits"] == []
    wish = {"message": message, "set": {"/note": "x"}, "reason": "try"}
    corrected = await group.api.post("/v1/corrections", wish)
    assert (corrected.status, corrected.problem["code"]) == (410, "erased")
    again = await ask(group, "/v1/erasures/preview", {"order": reference})
    assert (again.status, again.problem["code"]) == (404, "no-such-person")
    [key] = await rows(hub, "select wrapped from message_key where message = $1::text::uuid", batch)
    assert key["wrapped"] is not None  # it names somebody else as well, and was listed


async def test_an_erasure_waits_for_what_is_under_way(group: Group) -> None:
    """Asked for while the order runs, approved, and done by itself once the parcel is delivered."""
    person = OTTILIE | {"id": 77_000_124, "email": "later@example.net", "last_name": "Mirabellenbaum"}
    held = await group.api.post("/v1/holds", {"scope": "item", "name": "OVER-1", "reason": "not yet"})
    reference = await group.buy(("OVER-1", 1), customer=person)
    await group.story(f"order/{reference}")
    wish = {"email": person["email"], "reason": "asked for by phone", "when_done": True}
    asked = (await ask(group, "/v1/erasures", wish)).json()["erasure"]
    twice = await ask(group, "/v1/erasures", wish)
    assert (twice.status, twice.problem["code"]) == (409, "already-so")
    path = f"/v1/erasures/{asked['id']}/approve"
    done = await ask(group, path, {"reason": ""}, colleague(group, "bea"))
    assert done.json()["erasure"]["state"] == "waiting"
    await group.api.call("DELETE", f"/v1/holds/{held.json()['hold']['id']}", b'{"reason": "now"}')
    await group.until(reference, "completed")

    async def erased() -> bool:
        return bool((await group.api.get(f"/v1/erasures/{asked['id']}"))["state"] == "done")

    await eventually(erased, what="it is done by itself")
    assert await where_it_stands(group.api.hub, "Mirabellenbaum", person["email"]) == []


async def test_a_changed_row_is_found_and_named(group: Group) -> None:
    """One event and one action, changed by whoever has the database; put back, the chain holds again."""
    hub = group.api.hub
    reference = await group.buy(("OVER-1", 1))
    await group.until(reference, "completed")
    await until_sealed(group)
    thread = f"order/{reference}"
    change = "update event set occurred_at = occurred_at + $2 * interval '1 day' where thread_key = $1 and type = 'invoice.released.v1' returning event_id"
    [row] = await rows(hub, change, thread, -1)

    code, found = verified(group)

    assert code == 1
    assert [x["kind"] for x in found["breaks"]] == ["changed"]
    assert f"{thread} invoice.released.v1 {row['event_id']}" in found["breaks"][0]["what"]
    spoken = group.api.hub.crossdock("audit", "verify")
    assert spoken.returncode == 1
    assert f"BROKEN, first at link {found['breaks'][0]['link']}" in spoken.stdout
    await rows(hub, change, thread, 1)
    assert verified(group)[0] == 0


async def test_a_cut_end_is_found(group: Group) -> None:
    """The newest links and their rows are gone; the checkpoint that lies elsewhere says so."""
    hub = group.api.hub
    head = (await until_sealed(group))["head"]
    kept = hub.directory.parent / "elsewhere" / "checkpoints.jsonl"
    assert verified(group, "--checkpoints", str(kept))[0] == 0
    await rows(hub, "delete from audit_checkpoint where link >= $1", head)
    await rows(hub, "delete from audit_link where no >= $1", head)

    code, found = verified(group, "--checkpoints", str(kept))

    assert code == 1
    assert {x["kind"] for x in found["breaks"]} <= {"truncated", "rewritten", "signature"}
    assert head in {x["link"] for x in found["breaks"]}
