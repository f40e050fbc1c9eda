"""The remote side of one account: one call at a time under its deadline, and what its answer means for the effect."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import structlog

from crossdock.access.sealing import Unsealable
from crossdock.connect.contract import Absent, Call, CannotTell, Client, Done, Refused, RetryLater, Unknown
from crossdock.connect.manifest import EffectTraits
from crossdock.connect.transport import Transport
from crossdock.runtime.hub import Hub
from crossdock.runtime.lanes import Entry
from crossdock.runtime.outcomes import Judge
from crossdock.store.delivery import Outcome
from crossdock.store.keys import Keyring

_log = structlog.get_logger()
Answered = tuple[Outcome, object]
"""What the journal shall say, and the answer itself (for the account's health)."""


class Target:
    """Sends and looks up; whatever a connector does, there is an outcome."""

    def __init__(
        self, account: str, client: Client, traits: dict[str, EffectTraits], keyring: Keyring, judge: Judge
    ) -> None:  # fmt: skip
        self.client = client
        self._account, self._traits = account, traits
        self._keyring, self._judge = keyring, judge

    def _call(self, entry: Entry, row: Any) -> Call:
        body = self._keyring.open_effect(entry.id.bytes, row["subject"], row["sealed"])
        timeout = self._traits[entry.kind].timeout_seconds
        return Call(
            effect=str(entry.id), attempt=entry.attempts, kind=entry.kind, body=body, timeout_seconds=timeout
        )

    def _sealed(self, outcome: Outcome, row: Any) -> Outcome:
        """Its answer as it is kept; none where the data subject was erased meanwhile."""
        if outcome.answer:
            try:
                outcome.answer = self._keyring.seal_answer(
                    outcome.effect.bytes, row["subject"], outcome.answer
                )
            except Unsealable:
                outcome.answer = None
        return outcome

    async def send(self, entry: Entry, row: Any) -> Answered:
        """`row` holds the sealed body."""
        started, traits = datetime.now(UTC), self._traits[entry.kind]
        answer: Done | Refused | RetryLater | Unknown
        assert entry.deadline_at is not None
        left = (entry.deadline_at - started).total_seconds()
        try:
            if left <= 0:  # whoever slept past the deadline sends nothing more
                raise TimeoutError
            async with asyncio.timeout(left):
                answer = await self.client.send(self._call(entry, row))
        except TimeoutError:
            answer = Unknown(reason=f"no answer within {traits.timeout_seconds:g} s")
        except Unsealable as error:
            answer = Refused(code="erased", reason=str(error))
        except Exception as error:
            _log.exception("connector_failed", account=self._account, kind=entry.kind)
            answer = Unknown(reason=f"connector fault: {type(error).__name__}")
        return self._sealed(self._judge.sent(entry, answer, traits, started), row), answer

    async def look_up(self, entry: Entry, row: Any) -> Answered:
        """Ask whether it happened; a target that cannot be asked leaves it to a person."""
        started, traits = datetime.now(UTC), self._traits[entry.kind]
        found: Done | Absent | CannotTell
        if traits.idempotency == "none":
            found = CannotTell(reason="the target has no look-up for this", for_ever=True)
            return self._judge.looked_up(entry, found, traits, started), found
        try:
            async with asyncio.timeout(traits.timeout_seconds):
                found = await self.client.look_up(self._call(entry, row))
        except TimeoutError:
            found = CannotTell(reason=f"no answer to the look-up within {traits.timeout_seconds:g} s")
        except Unsealable as error:
            found = CannotTell(reason=str(error), for_ever=True)
        except Exception as error:
            _log.exception("connector_failed", account=self._account, kind=entry.kind)
            found = CannotTell(reason=f"connector fault: {type(error).__name__}")
        return self._sealed(self._judge.looked_up(entry, found, traits, started), row), found


def open_target(hub: Hub, name: str, keyring: Keyring, transport: Transport, generation: int) -> Target:
    """Raises `Misconfigured` where the account's secrets are not to be had."""
    connector, manifest = hub.connector(name), hub.manifest(name)
    assert connector.open is not None, "an account with effects can be called"
    client = connector.open(hub.account(name), transport)
    return Target(name, client, manifest.effects, keyring, Judge(name, generation))
