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
from crossdock.connectors.email import mapping_case
from crossdock.connectors.email.lines import one_line
from crossdock.connectors.email.texts import text_for
from crossdock.errors import Misconfigured, Rejected, Unsupported
from crossdock.model.party import Party, People
from crossdock.model.requests import Notify, TellCase

REFERENCE_HEADER: Final = "Crossdock-Reference"
"""`about|reference|shipment`: what the notice is about, for whoever searches the mail server's log."""
NAME_LENGTH_MAX: Final = 80
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
"""A dot-atom at a host name (RFC 5322 §3.4.1); quoted local parts and address literals are not for customers."""
_LOCAL_LENGTH_MAX: Final = 64
_ADDRESS_LENGTH_MAX: Final = 254


def from_payload(kind: str, payload: msgspec.Struct, people: People, account: Account) -> bytes:
    """Raises `Rejected` where whoever is told has no usable address, `Misconfigured` where the sender has none."""
    match (kind, payload):
        case ("customer.notify", Notify()):
            return _notice(payload, people, account)
        case ("case.tell", TellCase()):
            return _case(payload, people, account)
        case _:
            raise Unsupported(kind)


def _notice(payload: Notify, people: People, account: Account) -> bytes:
    sender, sender_name = _sender(account)
    name = _name(people.buyer.name)
    subject, text = _told(payload, name, sender_name or sender)
    reference = "|".join(one_line(part) for part in (payload.about, payload.reference, payload.shipment))
    recipient = _address(_recipient(people.buyer, "buyer"), name)
    return _message(_address(sender, sender_name), recipient, (subject, text), reference, reference)


def _case(payload: TellCase, people: People, account: Account) -> bytes:
    """Several may watch a case: the Message-ID tells their messages apart."""
    sender, sender_name = _sender(account)
    recipient = _recipient(people.colleague, "colleague")
    reference = mapping_case.reference(payload)
    told = mapping_case.told(payload, sender_name or sender)
    return _message(
        _address(sender, sender_name), _address(recipient, ""), told, reference, f"{reference}|{recipient}"
    )


def _sender(account: Account) -> tuple[str, str]:
    """(address, name)"""
    sender = mailbox(account.settings["sender"])
    if sender is None:
        raise Misconfigured(
            f"account {account.name}: settings.sender", "is not an address such as orders@example.com"
        )
    return sender, _name(account.settings.get("sender_name", ""))


def _message(sender: Address, recipient: Address, told: tuple[str, str], reference: str, key: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"], text = told
    message["Message-ID"] = f"<{message_key(key)}@{sender.domain}>"
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


def _name(text: str) -> str:
    return one_line(text)[:NAME_LENGTH_MAX].strip()


def _recipient(party: Party, part: str) -> str:
    """`part` is what of the people it is."""
    if not party.email.strip():
        raise Rejected(f"/people/{part}/email", f"the {part} left no e-mail address")
    address = mailbox(party.email)
    if address is None:
        raise Rejected(
            f"/people/{part}/email", f"the {part}'s e-mail address is not one that mail can be sent to"
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
