"""Whether the audit chain keeps up, and whether its checkpoints leave this machine."""

from crossdock.access.audit import public_key
from crossdock.doctor.check import Check, graded, lasting
from crossdock.runtime.checkpoints import folder_of, is_elsewhere
from crossdock.runtime.hub import Hub
from crossdock.store.pool import Connection
from crossdock.views.audit import read_standing

LAG_SECONDS = (60.0, 900.0)


async def examine(connection: Connection, hub: Hub) -> Check:
    found = await read_standing(connection, public_key(hub.key))
    behind = f"{lasting(found.lag_seconds)} behind" if found.lag_seconds else "everything is sealed"
    text = f"{found.head} links, {behind}, {found.checkpoint or 'no'} checkpoints"
    level = graded(found.lag_seconds, LAG_SECONDS)
    if level != "ok":
        return Check(
            level, "audit", text, "One delivery process seals: see log/delivery-*.log for sealer_waits."
        )
    if found.unsent and found.trouble:
        text = f"{text}, {found.unsent} not written: {found.trouble}"
        return Check("fail", "audit", text, "See the setting audit_checkpoints; nothing is lost meanwhile.")
    if not is_elsewhere(hub):
        remedy = "Set audit_checkpoints to a place off this machine, or ship that directory away: a chain alone cannot show that its end was cut off."  # fmt: skip
        return Check("warn", "audit", f"{text}, all of them on this machine in {folder_of(hub)}", remedy)
    return Check("ok", "audit", text)
