"""Which processes of this hub are alive, by their own word. Affects liveness and shares only."""

from uuid import UUID

from crossdock.store.pool import Connection


async def seen(connection: Connection, process: UUID, role: str, pid: int, lease_seconds: float) -> int:
    """Say that we live; returns how many of this role do."""
    await connection.execute(
        "insert into process (id, role, pid) values ($1, $2, $3) on conflict (id) do update set seen_at = clock_timestamp()",
        process, role, pid,
    )  # fmt: skip
    await connection.execute("delete from process where seen_at < clock_timestamp() - interval '1 minute'")
    return await connection.fetchval(  # type: ignore[no-any-return]
        "select count(*) from process where role = $1 and seen_at > clock_timestamp() - $2 * interval '1 second'",
        role, lease_seconds,
    )  # fmt: skip


async def gone(connection: Connection, process: UUID) -> None:
    await connection.execute("delete from process where id = $1", process)


async def works(connection: Connection, role: str, pid: int) -> bool:
    """Whether this process of ours has begun; a worker must hold partitions, and every other one be held.

    A lease of a dead owner runs on for a while, so that all are held does not say that this one holds any.
    """
    return await connection.fetchval(  # type: ignore[no-any-return]
        "select exists (select from process where role = $1 and pid = $2) and ($1 <> 'worker' or"
        " exists (select from partition t join process r on r.id = t.owner"
        " where r.role = $1 and r.pid = $2 and t.lease_until >= clock_timestamp())"
        " and not exists (select from partition where lease_until < clock_timestamp()))",
        role, pid,
    )  # fmt: skip
