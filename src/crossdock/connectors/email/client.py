"""Hands messages to one mail server over SMTP (RFC 5321), a connection each.

SMTP forgets: a message sent again arrives again, and no server can be asked. So the one question that matters is
whether the message's end had gone out when something broke.
"""

import asyncio
import contextlib
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as MAIL
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
)

from crossdock.connect.contract import (
    Account,
    Call,
    CannotTell,
    Done,
    LookUp,
    Outcome,
    Refused,
    RetryLater,
    Unknown,
)
from crossdock.connectors.email.mapping import REFERENCE_HEADER
from crossdock.connectors.email.mapping_case import ABOUT
from crossdock.errors import Misconfigured
from crossdock.model.operations import CaseTold
from crossdock.model.shipment import Notified

CHECK_SECONDS: Final = 15.0
REACH_SHARE, DATA_SHARE = 0.3, 0.6
"""Of the attempt's time: for connecting and naming the recipient, and for the message itself."""
GOODBYE_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 60.0
"""Greylists and full queues want about a minute (RFC 6647 §5)."""
REASON_LENGTH_MAX: Final = 300
SIGN_IN_CODES: Final = (530, 534, 535, 538)
NO_MAILBOX: Final = (550, 551, 553)
"""There is no such mailbox, or not here (RFC 5321 §4.2.3)."""
PORTS: Final = {"smtp": 587, "smtps": 465}
_FAILED: Final = (SMTPException, OSError, ValueError)
_ADDRESS_LIKE = re.compile(r"[^\s<>@]+@[^\s<>@]+")


class MailClient:
    """One mail server; see `connect.contract.Client`. Raises `Misconfigured` where the account cannot work."""

    def __init__(self, account: Account) -> None:
        self._account = account
        place = urlsplit(account.base_url)
        if place.scheme not in PORTS or not place.hostname:
            raise Misconfigured(
                f"account {account.name}: base_url", "is not smtp://host:port or smtps://host:port"
            )
        if account.settings.get("starttls", "yes") not in ("yes", "no"):
            raise Misconfigured(f"account {account.name}: settings.starttls", "is neither yes nor no")
        self._host, self._port = place.hostname, place.port or PORTS[place.scheme]
        self._encrypted = place.scheme == "smtps"
        self._starttls = not self._encrypted and account.settings.get("starttls", "yes") == "yes"

    def _open(self, seconds: float) -> SMTP:
        user = self._account.secrets.get("user") or None
        return SMTP(
            hostname=self._host, port=self._port, use_tls=self._encrypted, start_tls=self._starttls, timeout=seconds,
            username=user, password=self._account.secrets.get("password") if user else None,
            local_hostname=self._account.settings["sender"].rpartition("@")[2],
        )  # fmt: skip

    async def send(self, call: Call) -> Outcome:
        message = message_from_bytes(call.body, policy=MAIL)
        assert isinstance(message, EmailMessage)
        smtp = self._open(call.timeout_seconds)
        try:
            missed = await self._reach(smtp, message, call.timeout_seconds * REACH_SHARE)
            return missed or await self._hand_over(smtp, message, call)
        finally:
            smtp.close()

    async def _reach(self, smtp: SMTP, message: EmailMessage, seconds: float) -> Outcome | None:
        """Everything before the message: whatever fails here, nothing was sent."""
        try:
            async with asyncio.timeout(seconds):
                await smtp.connect()
                await smtp.mail(message["From"].addresses[0].addr_spec)
                await smtp.rcpt(message["To"].addresses[0].addr_spec)
        except SMTPAuthenticationError as error:
            return RetryLater(reason=f"{_told(error)} (user and password)", after_seconds=RETRY_SECONDS)
        except (SMTPConnectError, SMTPHeloError) as error:
            return RetryLater(
                reason=f"no connection to the mail server: {_clean(str(error))}", after_seconds=5.0
            )
        except SMTPResponseException as error:
            return _answered(error) or RetryLater(reason=_told(error), after_seconds=RETRY_SECONDS)
        except TimeoutError:
            return RetryLater(reason=f"the mail server did not take the recipient within {seconds:g} s")
        except _FAILED as error:
            return RetryLater(reason=f"before the message was sent: {_clean(str(error))}")
        return None

    async def _hand_over(self, smtp: SMTP, message: EmailMessage, call: Call) -> Outcome:
        """The message itself. After it only an answer tells what became of it."""
        seconds = call.timeout_seconds * DATA_SHARE
        dated = f"Date: {format_datetime(datetime.now(UTC))}\r\n".encode() + call.body
        try:
            async with asyncio.timeout(seconds):
                answer = await smtp.data(dated)
        except SMTPResponseException as error:
            return _answered(error) or Unknown(reason=_told(error))
        except TimeoutError:
            return Unknown(reason=f"the mail server did not confirm the message within {seconds:g} s")
        except _FAILED:
            return Unknown(reason="the connection broke before the mail server confirmed the message")
        with contextlib.suppress(TimeoutError, *_FAILED):
            async with asyncio.timeout(GOODBYE_SECONDS):
                await smtp.quit()
        document = str(message["Message-ID"]).strip("<>")
        about = str(message[REFERENCE_HEADER]).partition("|")[0]
        receipt = CaseTold(document) if about == ABOUT else Notified(about, document)
        return Done(document=document, receipt=receipt, answer=_clean(answer.message).encode())

    async def look_up(self, _call: Call) -> LookUp:
        return CannotTell(reason="mail servers cannot be asked what they took", for_ever=True)

    async def check(self) -> str:
        """Connects, encrypts and signs in as for a message, and sends none."""
        smtp = self._open(CHECK_SECONDS)
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await smtp.connect()
                await smtp.noop()
        except TimeoutError:
            raise Misconfigured(
                f"account {self._account.name}", f"no answer within {CHECK_SECONDS:g} s"
            ) from None
        except _FAILED as error:
            raise Misconfigured(f"account {self._account.name}", _clean(str(error))) from None
        finally:
            smtp.close()
        return f"{self._host}:{self._port} takes mail"


def _answered(error: SMTPResponseException) -> Outcome | None:
    """What a reply code means (RFC 5321 §4.2); None for an answer that is neither yes nor no."""
    match error.code:
        case 421:
            return RetryLater(reason=_told(error), after_seconds=RETRY_SECONDS, throttled=True)
        case code if code in SIGN_IN_CODES or 400 <= code < 500:
            return RetryLater(reason=_told(error), after_seconds=RETRY_SECONDS)
        case code if 500 <= code < 600:
            cause = "address" if code in NO_MAILBOX else ""
            return Refused(code=str(code), reason=_clean(error.message) or f"SMTP reply {code}", cause=cause)
    return None


def _told(error: SMTPResponseException) -> str:
    return f"{error.code} from the mail server: {_clean(error.message)}"


def _clean(text: str) -> str:
    """The server's words without addresses: what it repeats of ours is personal data."""
    return _ADDRESS_LIKE.sub("(address)", " ".join(text.split()))[:REASON_LENGTH_MAX]
