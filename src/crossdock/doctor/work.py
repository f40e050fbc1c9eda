"""Whether the work has owners and gets done: leases of partitions and accounts, what is behind, what waits for whom."""

from collections.abc import AsyncIterator, Iterator

from crossdock.api.story import names_of
from crossdock.doctor.check import Check, Level, graded, lasting
from crossdock.runtime.backup import ACTION, archive_of
from crossdock.runtime.hub import Hub
from crossdock.store.pool import Connection
from crossdock.views.now import read_now
from crossdock.views.now_shape import Asked, Now, Target

BEHIND_SECONDS = (10.0, 60.0)
WAITING_SECONDS = 120.0
LATELY_SECONDS = 86_400.0
BACKUP_SECONDS = (2 * 86_400.0, 8 * 86_400.0)
_BACKUP = """
select extract(epoch from clock_timestamp() - b.at)::float8 as seconds, b.target,
    to_char(a.last_failed_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') as archive_fails
from (select case when last_failed_time > coalesce(last_archived_time, '-infinity') then last_failed_time end
        as last_failed_time from pg_stat_archiver) a
left join lateral (select at, target from operator_action where action = $1 order by at desc limit 1) b on true
"""
_PARTITIONS = """
select count(*) filter (where c.lease_until > clock_timestamp() and w.id is not null) as owned, count(*) as all,
    count(distinct c.owner) filter (where c.lease_until > clock_timestamp()) as workers, max(c.epoch) as epoch,
    max(c.processed_at) as processed_at
from partition c left join process w on w.id = c.owner and w.seen_at > clock_timestamp() - interval '30 seconds'
"""


async def examine(connection: Connection, hub: Hub) -> AsyncIterator[Check]:
    """Reads what the Now page reads, and the leases."""
    row = await connection.fetchrow(_PARTITIONS)
    assert row is not None
    if row["owned"] < row["all"]:
        text = f"{row['all'] - row['owned']} of {row['all']} have no living worker"
        yield Check("fail", "partitions", text, "Start workers (crossdock up); see log/worker-*.log.")
    else:
        workers = row["workers"]
        yield Check("ok", "partitions", f"all {row['all']} owned by {workers} worker{'' if workers == 1 else 's'}, newest epoch {row['epoch']}")  # fmt: skip
    now = await read_now(connection, names_of(hub))
    yield _behind(now)
    if not hub.settings.database_url:
        yield await _backup(connection, hub)
    called = {name for name in hub.landscape.systems if hub.manifest(name).effects}
    for check in _targets(now, called):
        yield check
    yield _holds(now)
    for asked in now.asked:
        yield _asked(now, asked)


async def _backup(connection: Connection, hub: Hub) -> Check:
    """How much would be lost with this disk: what came after the last backup, or after the archive stopped."""
    row = await connection.fetchrow(_BACKUP, ACTION)
    assert row is not None
    remedy = f"crossdock backup create --hub {hub.folder} --to DIR, and copy DIR off this machine."
    if row["seconds"] is None:
        return Check("warn", "backup", "none was ever taken", remedy)
    taken = f"taken {lasting(row['seconds'])} ago to {row['target']}"
    if hub.settings.wal_archive and row["archive_fails"]:
        text = f"{taken}, but the log is not archived since {row['archive_fails']}"
        return Check("fail", "backup", text, f"Make room in {archive_of(hub)}, or mend its rights; nothing is lost meanwhile.")  # fmt: skip
    level = graded(row["seconds"], BACKUP_SECONDS)
    return Check(level, "backup", taken, "" if level == "ok" else remedy)


def _asked(now: Now, asked: Asked) -> Check:
    """Whether what a sender gives up telling is heard of, and whether it gave up lately."""
    name = f"{asked.list} of {asked.system}"
    many = f"{asked.found} changes were heard of only by asking" if asked.found else "nothing was missed"
    if asked.troubled_since:
        seconds = (now.as_of - asked.troubled_since).total_seconds()
        level: Level = "fail" if seconds > WAITING_SECONDS else "warn"
        return Check(level, name, f"trouble for {lasting(seconds)}: {asked.trouble}", "See the account above, and the permissions its README names; it is tried again by itself.")  # fmt: skip
    if asked.read_at is None:
        return Check("ok", name, "not asked for yet")
    text = f"{many}, asked {lasting((now.as_of - asked.read_at).total_seconds())} ago"
    lately = [at for at in (asked.last_found_at, asked.last_revived_at) if at is not None]
    if lately and (now.as_of - max(lately)).total_seconds() < LATELY_SECONDS:
        switched = f"; its webhooks were switched on again {asked.revived} times" if asked.revived else ""
        return Check("warn", name, f"{text}{switched}", "Nothing is lost. See whether the hub was down then, and the sender's webhooks.")  # fmt: skip
    return Check("ok", name, text)


def _holds(now: Now) -> Check:
    """A hold without an end is easily forgotten."""
    old = [
        x for x in now.holds
        if x.ends_at is None and (now.as_of - x.placed_at).total_seconds() > LATELY_SECONDS
    ]  # fmt: skip
    text = f"{len(now.holds)} in force" if now.holds else "nothing is held"
    if old:
        text += f", {len(old)} of them without an end and older than a day, the oldest by {old[0].who}: {old[0].reason}"
        return Check("warn", "holds", text, "See whether they are still needed: crossdock hold list")
    return Check("ok", "holds", text)


def _behind(now: Now) -> Check:
    behind = now.behind
    if behind.oldest is None:
        return Check("ok", "lag", "every event is processed")
    seconds = (now.as_of - behind.oldest).total_seconds()
    text = (
        f"{behind.events}{' or more' if behind.capped else ''} events wait, the oldest for {lasting(seconds)}"
    )
    level = graded(seconds, BEHIND_SECONDS)
    remedy = "" if level == "ok" else "See partitions and open transactions above; then more workers."
    return Check(level, "lag", text, remedy)


def _targets(now: Now, called: set[str]) -> Iterator[Check]:
    known = {t.account for t in now.targets}
    for name in sorted(called - known):
        yield Check(
            "fail", f"account {name}", "no delivery process ever had it", "Start delivery (crossdock up)."
        )
    for target in now.targets:
        if target.account in called:
            yield _target(now, target)
        elif target.account.startswith("subscription/"):
            yield _subscriber(now, target)


def _subscriber(now: Now, target: Target) -> Check:
    name = f"subscriber {target.called}"
    if target.failing_since:
        since = lasting((now.as_of - target.failing_since).total_seconds())
        remedy = f"See the subscriber, and subscriptions/{target.called}.yaml; nothing is lost meanwhile."
        return Check("fail", name, f"takes nothing for {since}: {target.last_failure}", remedy)
    return Check("ok", name, f"took {target.delivered} messages")


def _target(now: Now, target: Target) -> Check:
    name = f"account {target.account}"
    oldest = min((f.oldest for f in now.flows if f.account == target.account), default=None)
    seconds = (now.as_of - oldest).total_seconds() if oldest else 0.0
    waits = f"{target.waiting} effects wait, the oldest for {lasting(seconds)}" if oldest else "nothing waits"
    if not target.owned:
        return Check("fail", name, f"no delivery process serves it; {waits}", "Start delivery (crossdock up); see log/delivery-*.log.")  # fmt: skip
    if target.stopped is not None:
        since = lasting((now.as_of - target.stopped.placed_at).total_seconds())
        text = f"{target.stopped.doing} for {since} by {target.stopped.who}: {target.stopped.reason}; {waits}"
        return Check("warn", name, text, f"When it may go on: crossdock target resume {target.account}")
    if target.failing_since:
        since = lasting((now.as_of - target.failing_since).total_seconds())
        return Check("fail", name, f"failing for {since}: {target.last_failure}; {waits}", "See the system; then crossdock doctor --targets.")  # fmt: skip
    if target.parked:
        return Check(
            "warn",
            name,
            f"{target.parked} effects need a person; {waits}",
            "Settle and retry the cases: console, Cases.",
        )
    if seconds > WAITING_SECONDS:
        return Check(
            "warn",
            name,
            waits,
            "Its rate may be too low for what comes: see rate_per_second and concurrency.",
        )
    return Check("ok", name, waits)
