"""`prove answers`: every twin carries out a share of what it is asked and loses the answer; then the twins' books are compared.

What an effect takes from its first lost answer until it is settled is measured against its system's search lag.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

from crossdock.connect.discovery import installed
from crossdock.demo import goods, trade
from crossdock.demo.books import Findings
from crossdock.demo.day import Progress, drain, open_stage, place_all, prepare, report
from crossdock.demo.stage import Stage
from crossdock.prove import mail
from crossdock.store.pool import connect

PACE_SECONDS: Final = 0.3
ORDERS_PER_SECOND: Final = 5.0
DRAIN_SECONDS: Final = 600.0
BEYOND_LAG_SECONDS: Final = 30.0
"""An effect of which the answer was lost is settled within its system's search lag and so much more (99 of 100)."""
_SETTLED = """
select e.account, e.kind, count(*) as lost,
    percentile_cont(0.99) within group (order by extract(epoch from e.settled_at - a.lost_at)) as seconds
from effect e join (
    select effect, min(ended_at) as lost_at from attempt where purpose = 'send' and outcome = 'unknown' group by effect
) a on a.effect = e.id
where e.state = 10 group by e.account, e.kind
"""


@dataclass
class Proof:
    """What `prove answers` prints. `late` are kinds whose 99th percentile is beyond the search lag and half a minute."""

    orders: int = 0
    share: float = 0.0
    seed: int = 0
    completed: int = 0
    cancelled: int = 0
    rejected: int = 0
    lost_answers: int = 0
    lost_events: int = 0
    duplicated_effects: int = 0
    order_violations: int = 0
    unclear_mail: int = 0
    settle_p99_s: dict[str, float] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)
    seconds: float = 0.0
    differences: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        flaws = (
            self.lost_events
            or self.duplicated_effects
            or self.order_violations
            or self.differences
            or self.late
        )
        return not flaws and self.lost_answers > 0

    def as_json(self) -> str:
        return json.dumps(asdict(self))


async def run(
    folder: Path, *, orders: int, share: float, seed: int, progress: Progress
) -> tuple[Proof, Findings]:
    """On a fresh hub in `folder`."""
    began = monotonic()
    hub = prepare(folder, settings={"business_clock_rate": 20.0}, group=True)
    stage = await open_stage(hub, seed=seed, pace_seconds=PACE_SECONDS)
    try:
        quirks = {process.connector: {"answer_lost": share} for process in stage.twins.processes.values()}
        await stage.twins.quirks(quirks)
        wishes = [w for w in trade.group_wishes(orders * 2, seed) if not w.credit][:orders]
        await place_all(stage, wishes, per_second=ORDERS_PER_SECOND, progress=progress)
        await goods.move(stage, seed, DRAIN_SECONDS)
        await drain(stage, progress, DRAIN_SECONDS, lambda: mail.behind_unclear(stage))
        await stage.twins.calm()
        differing = await goods.night(stage)
        made, findings = await report(stage, began, seed)
        unclear = await mail.unclear(stage)
        findings.lost = [x for x in findings.lost if x not in unclear]
        proof = Proof(
            orders=made.orders, share=share, seed=seed, completed=made.completed, cancelled=made.cancelled, rejected=made.rejected,
            lost_events=len(findings.lost), duplicated_effects=made.duplicated_effects, order_violations=made.order_violations,
            unclear_mail=len(unclear), differences=made.differences + differing,
        )  # fmt: skip
        await _measure(stage, proof)
    finally:
        await stage.close()
    proof.seconds = round(monotonic() - began, 1)
    return proof, findings


async def _measure(stage: Stage, proof: Proof) -> None:
    connection = await connect(stage.hub.dsn)
    try:
        rows = await connection.fetch(_SETTLED)
    finally:
        await connection.close()
    for row in rows:
        connector = stage.twins.processes[row["account"]].connector
        lag = installed()[connector].manifest.effects[row["kind"]].search_lag_seconds
        seconds, name = round(float(row["seconds"]), 1), f"{row['account']} {row['kind']}"
        proof.lost_answers += row["lost"]
        proof.settle_p99_s[name] = seconds
        if seconds > lag + BEYOND_LAG_SECONDS:
            proof.late.append(f"{name}: {seconds} s, search lag {lag:g} s")
