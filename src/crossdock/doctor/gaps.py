"""Whether messages of numbered senders are missing."""

from crossdock.doctor.check import Check
from crossdock.store.pool import Connection
from crossdock.views.gaps import read_gaps

NAMED_MAX = 3


async def examine(connection: Connection) -> list[Check]:
    """One line; nothing where no sender numbers its messages."""
    senders = await read_gaps(connection)
    if not senders:
        return []
    missing = [x for x in senders if x.missing]
    anew = [
        f"{x.system} {x.series} counts anew since {x.anew.at:%Y-%m-%d %H:%M} UTC" for x in senders if x.anew
    ]
    said = "".join(f"; {x}" for x in anew[:NAMED_MAX])
    if not missing:
        return [Check("ok", "gaps", f"no message of {len(senders)} numbered senders is missing{said}")]
    told = ", ".join(f"{x.missing} of {x.system} {x.series}" for x in missing[:NAMED_MAX])
    remedy = "crossdock gaps names the numbers: have the sender send them again. They close by themselves when they come."
    return [Check("warn", "gaps", f"messages never came: {told}{said}", remedy)]
