"""A notice as the bytes of an RFC 5322 message: all but the Date, which only the moment of sending knows."""

import re
from datetime import UTC
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import blake2b
from typing import Final

import msgspec

from crossdock.connect.contract import Account
from crossdock.connectors.email.texts import text_for
from crossdock.errors import Misconfigured, Rejected, Unsupported
from crossdock.model.party import People
from crossdock.model.requests import Notify

REFERENCE_HEADER: Final = "Crossdock-Reference"
"""`about|reference|shipment`: what the notice is about, for whoever searches the mail server's log."""
NAME_LENGTH_MAX: Final = 80
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
"""A dot-atom at a host name (RFC 5322 §3.4.1); quoted local parts and address literals are not for customers."""
_LOCAL_LENGTH_MAX: Final = 64
_ADDRESS_LENGTH_MAX: Final = 254
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def from_payload(kind: str, payload: msgspec.Struct, people: People, account: Account) -> bytes:
    """Raises `Rejected` where the buyer has no usable address, `Misconfigured` where the sender has none."""
    if kind != "customer.notify" or not isinstance(payload, Notify):
        raise Unsupported(kind)
    sender = mailbox(account.settings["sender"])
    if sender is None:
        raise Misconfigured(
            f"account {account.name}: settings.sender", "is not an address such as orders@example.com"
        )
    sender_name = _name(account.settings.get("sender_name", ""))
    subject, text = _told(payload, _name(people.buyer.name), sender_name or sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(sender, sender_name)
    message["To"] = _address(_recipient(people), _name(people.buyer.name))
    message["Subject"] = subject
    reference = "|".join(one_line(part) for part in (payload.about, payload.reference, payload.shipment))
    message["Message-ID"] = f"<{message_key(reference)}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message[REFERENCE_HEADER] = reference
    message.set_content(text, charset="utf-8", cte="quoted-printable")
    return message.as_bytes()


def message_key(reference: str) -> str:
    """The same notice has the same Message-ID, however often it is rendered."""
    return blake2b(reference.encode(), digest_size=16).hexdigest()


def mailbox(given: str) -> str | None:
    """The address with its domain in ASCII (IDNA), or None where it is not one that mail can be sent to."""
    local, _, domain = given.strip().rpartition("@")
    try:
        address = f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return None
    usable = len(local) <= _LOCAL_LENGTH_MAX and len(address) <= _ADDRESS_LENGTH_MAX
    return address if usable and _ADDRESS.fullmatch(address) else None


def one_line(text: str) -> str:
    """Without line ends and other control characters, so that no name becomes a header."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _name(text: str) -> str:
    return one_line(text)[:NAME_LENGTH_MAX].strip()


def _recipient(people: People) -> str:
    if not people.buyer.email.strip():
        raise Rejected("/people/buyer/email", "the buyer left no e-mail address")
    address = mailbox(people.buyer.email)
    if address is None:
        raise Rejected(
            "/people/buyer/email", "the buyer's e-mail address is not one that mail can be sent to"
        )
    return address


def _address(address: str, name: str) -> Address:
    return Address(display_name=name, addr_spec=address)


def _told(payload: Notify, name: str, sender: str) -> tuple[str, str]:
    """Subject and text."""
    subject, sentence = text_for(payload.about, payload.shipment)
    words = {
        "order": one_line(payload.number or payload.reference),
        "about": one_line(payload.about).replace("_", " "),
    }
    paragraphs = [f"Dear {name}," if name else "Hello,", sentence.format(**words)]
    facts = _facts(payload)
    if facts:
        paragraphs.append("\n".join(facts))
    paragraphs.append(f"Yours,\n{sender}")
    return subject.format(**words), "\n\n".join(paragraphs) + "\n"


def _facts(payload: Notify) -> list[str]:
    facts = []
    if payload.at:
        facts.append(f"Time: {payload.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    if payload.carrier:
        facts.append(f"Carrier: {one_line(payload.carrier).upper()}")
    if payload.tracking:
        label = "Tracking number" if len(payload.tracking) == 1 else "Tracking numbers"
        facts.append(f"{label}: {', '.join(one_line(number) for number in payload.tracking)}")
    return facts
