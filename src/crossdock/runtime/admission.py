"""Back-pressure: intake answers 429 or 503 with Retry-After before PostgreSQL suffers."""

import asyncio
import shutil
from time import monotonic

import asyncpg
import structlog

from crossdock.runtime.hub import Hub
from crossdock.store.pool import LOST

CHECK_SECONDS = 1.0
_ESTIMATE = (
    "select coalesce((select last_value from pg_sequences where sequencename = 'event_id_seq'), 0)"
    " - coalesce((select sum(position) from partition), 0)"
)
_COUNT = (
    "select count(*) from (select 1 from partition c join event e on e.p = c.p"
    " and (e.generation, e.xid, e.id) > (c.generation, c.xid, c.id) limit $1) waiting"
)
_log = structlog.get_logger()


class Admission:
    """One per API process; `refusal` is asked before a body is read."""

    def __init__(self, hub: Hub, pool: asyncpg.Pool) -> None:
        self._hub = hub
        self._pool = pool
        self._buckets: dict[str, tuple[float, float]] = {}
        self.shedding = ""
        self.lag_events = 0
        self._gaps = 0

    def refusal(self, partner: str) -> tuple[int, str, int] | None:
        """(status, reason, Retry-After seconds), or None to go on."""
        if self.shedding:
            return 503, self.shedding, 5
        rate = self._hub.settings.partner_requests_per_second
        now = monotonic()
        tokens, at = self._buckets.get(partner, (float(rate), now))
        tokens = min(float(rate), tokens + (now - at) * rate)
        if tokens < 1:
            self._buckets[partner] = (tokens, now)
            return 429, f"more than {rate} requests per second from {partner}", 1
        self._buckets[partner] = (tokens - 1, now)
        return None

    async def watch(self) -> None:
        """Measure lag and disk every second, for ever."""
        while True:
            try:
                await self._measure()
            except (*LOST, asyncpg.PostgresError) as error:
                _log.info("admission_without_database", reason=str(error))
            await asyncio.sleep(CHECK_SECONDS)

    async def _measure(self) -> None:
        # Ids are dense enough to estimate with: the newest id minus what was processed, and minus known gaps.
        estimate = int(await self._pool.fetchval(_ESTIMATE))
        if estimate - self._gaps > self._hub.settings.lag_events_max:
            # Ids of transactions that were given up look like lag for ever: only what is really there may shed.
            self._gaps = estimate - int(
                await self._pool.fetchval(_COUNT, self._hub.settings.lag_events_max + 1)
            )
        self.lag_events = max(0, estimate - self._gaps)
        usage = shutil.disk_usage(self._hub.folder)
        before = self.shedding
        if usage.free < usage.total * self._hub.settings.disk_free_min_share:
            self.shedding = "the disk is nearly full"
        elif self.lag_events > self._hub.settings.lag_events_max:
            self.shedding = f"{self.lag_events} events wait to be processed"
        else:
            self.shedding = ""
        if before != self.shedding:
            _log.warning("shedding", reason=self.shedding or "over")
