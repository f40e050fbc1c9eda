"""Mail in proofs: SMTP cannot be asked, so a mail whose answer was lost is a case, and not sent again."""

from crossdock.demo.stage import Stage
from crossdock.store.pool import connect

_BEHIND = """
select count(*) from effect e where e.account = $1 and e.state < 5
    and exists (select 1 from lane l where l.account = e.account and l.lane = e.lane)
"""
_UNCLEAR = """
select thread_key, object from effect e where account = $1 and kind = 'customer.notify' and state < 10
    and (state = 6 or exists (select 1 from lane l where l.account = e.account and l.lane = e.lane))
"""


async def behind_unclear(stage: Stage) -> int:
    """Mails that wait behind one of which nobody can tell whether it went out."""
    return sum([await _ask(stage, _BEHIND, name) for name in _mail(stage)])


async def unclear(stage: Stage) -> list[str]:
    """What the books miss of mails that are with a person, in the words in which they miss it."""
    found: list[str] = []
    connection = await connect(stage.hub.dsn)
    for name in _mail(stage):
        for row in await connection.fetch(_UNCLEAR, name):
            _, _, shipment = row["object"].partition("/")
            reference = row["thread_key"].partition("/")[2]
            found.append(f"{reference} left as {shipment}, and {name} has no customer.notify")
    await connection.close()
    return found


async def _ask(stage: Stage, sql: str, *arguments: str) -> int:
    connection = await connect(stage.hub.dsn)
    try:
        return int(await connection.fetchval(sql, *arguments))
    finally:
        await connection.close()


def _mail(stage: Stage) -> list[str]:
    return [name for name, process in stage.twins.processes.items() if process.connector == "email"]
