"""E-mail: what is rendered, and the client against its twin over real sockets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, get_args

import aiohttp
import msgspec
import pytest
from aiohttp import web

from crossdock.connect.contract import Account, Call, CannotTell, Done, Outcome, Refused, RetryLater, Unknown
from crossdock.connect.manifest import load_manifest
from crossdock.connect.twin import Twin, TwinSetup
from crossdock.connectors.email.client import MailClient
from crossdock.connectors.email.connector import CONNECTOR
from crossdock.connectors.email.mapping import mailbox
from crossdock.connectors.email.texts import TEXTS
from crossdock.connectors.email.twin import build
from crossdock.errors import Misconfigured, Rejected
from crossdock.model.party import Party, People
from crossdock.model.requests import Notify
from crossdock.model.shipment import Milestone, Notified

HERE = Path(__file__).parent
ACCOUNT = msgspec.convert(json.loads((HERE / "fixtures/account.json").read_text()), Account)
MANIFEST = load_manifest(HERE / "manifest.toml")
NOTIFY = Notify("shipped", "shopify-eu/5001", "#1042", "S-77", "ups", ("1Z1",))
PEOPLE = People(buyer=Party(name="Mara Beispiel", email="mara@example.com"))


def rendered(payload: Notify = NOTIFY, people: People = PEOPLE, account: Account = ACCOUNT) -> bytes:
    assert CONNECTOR.render
    return CONNECTOR.render("customer.notify", payload, people, account)


def read(body: bytes) -> Any:
    return message_from_bytes(body, policy=default)


class TestRender:
    """Everything but the Date, from values alone."""

    @pytest.mark.parametrize(
        "name",
        ["Łukasz Żółć", "名前 " * 20, 'Q "the" <b@c>, d@e', "a\r\nBcc: all@example.com", "\x00\x85\u2028"],
    )
    def test_a_name_stays_a_name(self, name: str) -> None:
        """Whatever it holds, there is one recipient and no header more; all bytes are ASCII in short lines."""
        body = rendered(people=People(buyer=Party(name=name, email="mara@example.com")))
        message = read(body)

        assert [a.addr_spec for a in message["To"].addresses] == ["mara@example.com"]
        assert message["Bcc"] is None
        assert not message.defects
        assert body.isascii()
        assert b"\n" not in body.replace(b"\r\n", b"")
        assert max(map(len, body.split(b"\r\n"))) <= 78

    @pytest.mark.parametrize("field", ["about", "reference", "number", "shipment", "carrier"])
    def test_no_field_makes_a_header(self, field: str) -> None:
        """Line ends in what shop and carrier wrote are cleaned too."""
        message = read(
            rendered(msgspec.structs.replace(NOTIFY, **{field: "x\r\nBcc: all@example.com\r\n\r\ny"}))
        )

        assert message["Bcc"] is None
        assert message["Auto-Submitted"] == "auto-generated"

    @pytest.mark.parametrize(
        ("given", "address"),
        [
            ("mara@example.com", "mara@example.com"),
            ("  o'neil+x@sub.example.com ", "o'neil+x@sub.example.com"),
            ("zoe@müller.example", "zoe@xn--mller-kva.example"),
            ("no-at", None),
            ("@example.com", None),
            ("a@", None),
            ("a..b@example.com", None),
            ("a@b@example.com", None),
            ("a b@example.com", None),
            ("zoë@example.com", None),
            ("a@exam_ple.com", None),
            ("a@example..com", None),
            ("a@example.com\r\nRCPT TO:<b@example.com>", None),
            ("a@example.com>\r\nDATA", None),
            ("x" * 65 + "@example.com", None),
            ("a@" + "x" * 64 + ".com", None),
        ],
    )
    def test_only_what_mail_can_be_sent_to_is_an_address(self, given: str, address: str | None) -> None:
        """A dot-atom at a host name."""
        assert mailbox(given) == address

    @pytest.mark.parametrize("email", ["", " ", "a b@example.com"])
    def test_nobody_to_write_to_is_refused(self, email: str) -> None:
        """The reason names the field, and never what stood in it."""
        with pytest.raises(Rejected) as told:
            rendered(people=People(buyer=Party(name="Mara", email=email)))
        assert told.value.path == "/people/buyer/email"
        assert "a b@" not in str(told.value)

    def test_a_sender_that_is_none_is_told(self) -> None:
        """It is the account's setting that is wrong."""
        with pytest.raises(Misconfigured, match=r"settings\.sender"):
            rendered(account=replace(ACCOUNT, settings={"sender": "the shop"}))

    def test_a_message_id_follows_from_what_it_is_about(self) -> None:
        """The same notice has the same, another one another."""
        ids = {
            str(read(rendered(payload, people))["Message-ID"])
            for payload in (NOTIFY, msgspec.structs.replace(NOTIFY, tracking=("1Z2",)))
            for people in (PEOPLE, People(buyer=Party(email="other@example.com")))
        }
        assert len(ids) == 1
        for field in ("about", "reference", "shipment"):
            ids.add(str(read(rendered(msgspec.structs.replace(NOTIFY, **{field: "other"})))["Message-ID"]))
        assert len(ids) == 4

    def test_a_long_reference_is_kept_whole(self) -> None:
        """Folded headers unfold to what was meant."""
        long = "shop/" + "x" * 150
        assert (
            read(rendered(msgspec.structs.replace(NOTIFY, reference=long)))["Crossdock-Reference"]
            == f"shipped|{long}|S-77"
        )

    def test_every_milestone_has_words(self) -> None:
        """Also one that is new here is told, in its own word."""
        assert set(get_args(Milestone)) - set(TEXTS) <= {"unknown"}
        message = read(rendered(msgspec.structs.replace(NOTIFY, about="held_at_customs")))
        assert message["Subject"] == "News of your order #1042: held at customs"
        assert read(rendered(msgspec.structs.replace(NOTIFY, about="cancelled")))["Subject"].startswith(
            "A shipment"
        )


@dataclass
class Stage:
    """A mail server over real sockets."""

    control: str
    account: Account
    http: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.control}/_twin/{path}") as told:
            return await told.json()

    async def quirk(self, **rates: float) -> None:
        async with self.http.put(f"{self.control}/_twin/quirks", json=rates) as told:
            assert told.status == 200

    async def journal(self) -> list[tuple[str, str]]:
        return [(row["effect"], row["reference"]) for row in await self.get("journal")]

    async def send(self, payload: Notify = NOTIFY, people: People = PEOPLE, seconds: float = 10.0) -> Outcome:
        body = rendered(payload, people, self.account)
        call = Call(effect="e", attempt=1, kind="customer.notify", body=body, timeout_seconds=seconds)
        return await MailClient(self.account).send(call)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def staged(
    books: Path, *, scheme: str = "smtp", starttls: str = "no", user: str = ""
) -> AsyncIterator[Stage]:
    secrets = {"user": user, "password": "right"}
    account = replace(
        ACCOUNT, base_url=f"{scheme}://127.0.0.1:{free_port()}",
        settings={**ACCOUNT.settings, "starttls": starttls}, secrets=secrets,
    )  # fmt: skip
    setup = TwinSetup(
        name="email", system="mail", hub_url="", books=books, base_url=account.base_url,
        settings=account.settings, secrets=secrets,
    )  # fmt: skip
    twin = Twin(setup, MANIFEST.quirks)
    build(twin)
    runner = web.AppRunner(twin.app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        yield Stage(f"http://127.0.0.1:{runner.addresses[0][1]}", account, http)
    await runner.cleanup()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path / "books.db") as made:
        yield made


class TestSend:
    """What each answer means."""

    async def test_a_notice_arrives_as_it_was_meant(self, stage: Stage) -> None:
        """Envelope, headers, text and the date of sending; the Message-ID becomes the document."""
        people = People(buyer=Party(name="Łukasz .", email="lukasz@example.com"))
        told = await stage.send(msgspec.structs.replace(NOTIFY, carrier="...\n.\n."), people)

        [message] = await stage.get("messages")
        assert told == Done(
            document=message["id"], receipt=Notified("shipped", message["id"]), answer=b"2.0.0 taken"
        )
        assert message["envelope"] == ["orders@shop.example.com", "lukasz@example.com"]
        assert message["to"] == '"Łukasz ." <lukasz@example.com>'
        assert message["subject"] == "Your order #1042 is on its way"
        assert "Dear Łukasz ." in message["text"]
        assert "Tracking number: 1Z1" in message["text"]
        assert abs((datetime.now(UTC) - parsedate_to_datetime(message["date"])).total_seconds()) < 60
        assert await stage.journal() == [("customer.notify", "shipped|shopify-eu/5001|S-77")]

    async def test_a_lost_answer_is_unknown_and_cannot_be_looked_up(self, stage: Stage) -> None:
        """It was taken; nobody can be asked, and sent again it would arrive again."""
        await stage.quirk(answer_lost=1)
        assert isinstance(await stage.send(), Unknown)
        assert len(await stage.journal()) == 1
        call = Call(effect="e", attempt=1, kind="customer.notify", body=b"", timeout_seconds=1)
        found = await MailClient(stage.account).look_up(call)
        assert isinstance(found, CannotTell)
        assert found.for_ever
        assert MANIFEST.effects["customer.notify"].idempotency == "none"
        await stage.quirk(answer_lost=0)
        await stage.send()
        assert len(await stage.journal()) == 2, "the twin books what comes twice"

    async def test_a_slow_confirmation_is_unknown_to_the_impatient(self, stage: Stage) -> None:
        """The message was out."""
        await stage.quirk(slow=1)
        told = await stage.send(seconds=1.5)
        assert isinstance(told, Unknown)
        assert "0.9 s" in told.reason
        assert len(await stage.journal()) == 1

    @pytest.mark.parametrize(
        ("quirk", "code", "throttled"),
        [("greylisting", "451", False), ("throttled", "421", True), ("unavailable", "no connection", False)],
    )
    async def test_not_now_is_later(self, stage: Stage, quirk: str, code: str, throttled: bool) -> None:
        """Nothing was taken; afterwards it is, once."""
        await stage.quirk(**{quirk: 1})
        told = await stage.send()
        assert isinstance(told, RetryLater)
        assert told.reason.startswith(code)
        assert told.throttled is throttled
        assert await stage.journal() == []
        if quirk != "greylisting":
            await stage.quirk(**{quirk: 0})
        assert isinstance(await stage.send(), Done)
        assert len(await stage.journal()) == 1

    @pytest.mark.parametrize(("quirk", "code"), [("unknown_mailbox", "550"), ("mailbox_full", "552")])
    async def test_no_is_refused_without_the_address(self, stage: Stage, quirk: str, code: str) -> None:
        """The server's words are kept, what it repeats of the customer's is not."""
        await stage.quirk(**{quirk: 1})
        told = await stage.send()
        assert isinstance(told, Refused)
        assert told.code == code
        assert "(address)" in told.reason
        assert "mara" not in repr(told)
        assert await stage.journal() == []

    async def test_nobody_there_is_later(self, stage: Stage) -> None:
        """A refused connection sent nothing."""
        stage.account = replace(stage.account, base_url=f"smtp://127.0.0.1:{free_port()}")
        assert isinstance(await stage.send(), RetryLater)
        with pytest.raises(Misconfigured, match="account mail"):
            await MailClient(stage.account).check()


class TestAccount:
    """Encryption, signing in, and settings that cannot work."""

    @pytest.mark.parametrize(("scheme", "starttls"), [("smtp", "yes"), ("smtps", "yes"), ("smtp", "no")])
    async def test_it_encrypts_and_signs_in(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, starttls: str
    ) -> None:
        """All three ways to connect, with a certificate that is trusted."""
        async with staged(tmp_path / "books.db", scheme=scheme, starttls=starttls, user="hub") as stage:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "books.pem"))
            assert isinstance(await stage.send(), Done)
            assert "takes mail" in await MailClient(stage.account).check()

    async def test_a_wrong_password_waits_for_its_correction(self, tmp_path: Path) -> None:
        """It says nothing about the message."""
        async with staged(tmp_path / "books.db", user="hub") as stage:
            stage.account = replace(stage.account, secrets={"user": "hub", "password": "wrong"})
            told = await stage.send()
            assert isinstance(told, RetryLater)
            assert "535" in told.reason
            stage.account = replace(stage.account, secrets={})
            told = await stage.send()
            assert isinstance(told, RetryLater)
            assert "530" in told.reason
            assert await stage.journal() == []

    async def test_nothing_is_sent_in_the_clear_by_surprise(self, stage: Stage) -> None:
        """A server without STARTTLS gets no message from an account that wants it."""
        stage.account = replace(stage.account, settings={**stage.account.settings, "starttls": "yes"})
        assert isinstance(await stage.send(), RetryLater)
        assert await stage.journal() == []

    async def test_a_strange_certificate_is_not_trusted(self, tmp_path: Path) -> None:
        """Encrypted to whoever is no proof."""
        async with staged(tmp_path / "books.db", starttls="yes") as stage:
            assert isinstance(await stage.send(), RetryLater)
            assert await stage.journal() == []

    @pytest.mark.parametrize(
        "change",
        [
            {"base_url": "http://mail.example.com"},
            {"base_url": "smtp://"},
            {"settings": {"starttls": "maybe"}},
        ],
    )
    def test_settings_that_cannot_work_are_told(self, change: dict[str, Any]) -> None:
        """When the account is opened, with the field."""
        with pytest.raises(Misconfigured, match=next(iter(change)).split("_", maxsplit=1)[0]):
            MailClient(replace(ACCOUNT, **change))


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


async def _obey(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, replies: dict[bytes, bytes]
) -> None:
    """A server that says what a test wants; a reply of b"" hangs up."""
    writer.write(b"220 here\r\n")
    in_data = False
    while line := await reader.readline():
        verb = line.split()[0].upper() if line.split() else b""
        if in_data and line != b".\r\n":
            continue
        word = b"." if in_data else verb
        reply = replies.get(word, b"354 go\r\n" if word == b"DATA" else b"250 ok\r\n")
        in_data = word == b"DATA" and reply.startswith(b"354")
        if not reply:
            break
        writer.write(reply)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ({b"DATA": b"451 not now\r\n"}, RetryLater),
        ({b"DATA": b"554 no\r\n"}, Refused),
        ({b".": b"452 no room\r\n"}, RetryLater),
        ({b".": b"554 spam\r\n"}, Refused),
        ({b".": b"what?\r\n"}, Unknown),
        ({b".": b""}, Unknown),
        ({b"RCPT": b"what?\r\n"}, RetryLater),
        ({b"RCPT": b""}, RetryLater),
        ({b"MAIL": b"550 not from you\r\n"}, Refused),
        ({b"QUIT": b""}, Done),
    ],
)
async def test_every_answer_has_its_meaning(replies: dict[bytes, bytes], outcome: type) -> None:
    """Before the message's end a broken conversation sent nothing; after it only the answer counts."""
    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(lambda r, w: _obey(r, w, replies), "127.0.0.1", 0)
        await stack.enter_async_context(server)
        port = server.sockets[0].getsockname()[1]
        account = replace(
            ACCOUNT,
            base_url=f"smtp://127.0.0.1:{port}",
            settings={**ACCOUNT.settings, "starttls": "no"},
            secrets={},
        )
        call = Call(effect="e", attempt=1, kind="customer.notify", body=rendered(), timeout_seconds=5)
        assert isinstance(await MailClient(account).send(call), outcome)
