"""Rules over HTTP: corrections that intake makes by itself from now on; promoted by a person, and withdrawn by one."""

from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.corrections import (
    Reason,
    answer,
    body_of,
    found_of,
    judged_again,
    reason_of,
    refused,
    seen_version,
    would_of,
)  # fmt: skip
from crossdock.api.problems import Problem
from crossdock.errors import Conflict
from crossdock.store import access
from crossdock.store import corrections as table


class Promoted(msgspec.Struct):
    """`path` where the correction changed more than one value."""

    reason: str = ""
    path: str = ""


def told_of(rule: table.Rule) -> dict[str, Any]:
    return msgspec.structs.asdict(rule) | {"name": f"P-{rule.id}"}


async def promote(hub: Context, who: Identity, made: table.Correction, asked: Promoted) -> table.Rule:
    """Later messages of the channel are read so. Raises a problem for what a rule cannot do."""
    reason = reason_of(asked.reason)
    if made.state != "applied":
        raise Problem(409, "not-applied", f"K-{made.id} is {made.state}: only what counts can become a rule")
    same = who.id == made.proposed_key or who.name == made.proposed_by
    if same and "rule" in hub.hub.policy.four_eyes:
        raise Problem(
            403, "four-eyes", f"{made.proposed_by} proposed K-{made.id}: a second person must promote it"
        )
    offered = would_of(hub, await judged_again(hub, made))["promotable"]
    found = [x for x in offered if asked.path in ("", x.path)]
    if len(found) != 1:
        paths = ", ".join(x.path for x in offered)
        raise Problem(
            409, "cannot-be-promoted",
            f"say which: {paths}" if offered else "a rule puts one value for another at a path of a JSON body, nothing personal: this cannot be promoted",
        )  # fmt: skip
    change = (found[0].path, found[0].before, found[0].after)
    try:
        async with hub.pool.acquire() as connection:
            rule = await table.promote(connection, made, change, who, reason)
            await access.note_action(connection, who.name, "promote", f"K-{made.id}", reason, rule=rule.id)
            await hub.intake.rules.refresh(connection, now=True)
    except Conflict as error:
        raise refused(error) from None
    return rule


async def rules_of(hub: Context) -> list[table.Rule]:
    async with hub.pool.acquire() as connection:
        return await table.rules(connection)


async def rule_of(hub: Context, number: int) -> table.Rule:
    found = next((x for x in await rules_of(hub) if x.id == number), None)
    if found is None:
        raise Problem(404, "no-such-rule", f"there is no rule P-{number}")
    return found


async def withdraw(hub: Context, who: Identity, rule: table.Rule, reason: str) -> table.Rule:
    try:
        async with hub.pool.acquire() as connection:
            rule = await table.withdraw(connection, rule.id, rule.version, who, reason)
            await access.note_action(connection, who.name, "withdraw", f"P-{rule.id}", reason)
            await hub.intake.rules.refresh(connection, now=True)
    except Conflict as error:
        raise refused(error) from None
    return rule


@post(
    "/v1/corrections/{number:int}/promote",
    status_code=201,
    summary="Make a rule of a correction: later messages are read so",
)
async def promote_correction(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    asked: Promoted = await body_of(request, Promoted)
    made = await found_of(hub, number)
    seen_version(request, made.version)
    rule = await promote(hub, who, made, asked)
    return answer(told_of(rule), status=201, version=rule.version, Location=f"/v1/rules/{rule.id}")


@get("/v1/rules", summary="Rules that were made of corrections, newest first, with how often each was used")
async def list_rules(request: Request[Any, Any, Any]) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    return answer({"rules": [told_of(x) for x in await rules_of(hub)]})


@get(
    "/v1/rules/{number:int}",
    summary="One rule: what it puts for what, who promoted it, how often it was used",
)
async def read_rule(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "read")
    rule = await rule_of(hub, number)
    return answer(told_of(rule), version=rule.version)


@post(
    "/v1/rules/{number:int}/withdraw",
    status_code=200,
    summary="Withdraw a rule: later messages are read as they come",
)
async def withdraw_rule(request: Request[Any, Any, Any], number: int) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "operator")
    reason = reason_of((await body_of(request, Reason)).reason)
    rule = await rule_of(hub, number)
    seen_version(request, rule.version)
    rule = await withdraw(hub, who, rule, reason)
    return answer(told_of(rule), version=rule.version)


HANDLERS: list[HTTPRouteHandler] = [promote_correction, list_rules, read_rule, withdraw_rule]
