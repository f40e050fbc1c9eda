"""Claims of stock: ask for many lines at once, then commit, release, extend, change or transfer what was granted."""

import re
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, get, post

from crossdock.access.tokens import Identity
from crossdock.api.context import Context, context
from crossdock.api.events import _admit
from crossdock.api.problems import Problem
from crossdock.connect.reading import read
from crossdock.errors import Malformed, Rejected
from crossdock.model.claim import (
    CLAIM_ID,
    EXPIRY_SECONDS_MAX,
    LINES_MAX,
    NODES_MAX,
    Act,
    Change,
    ClaimAnswer,
    ClaimWanted,
    Commit,
    Extend,
    Release,
    Transfer,
    WantedLine,
)
from crossdock.processes.demand import demand
from crossdock.processes.routing import route_order
from crossdock.runtime.claim_round import Acting, Asking, answer_of, encode
from crossdock.runtime.intake import Unavailable

_REFUSED = b'"state":"refused"'
"""Without it there is no need to read the answer once more."""
_CODE = re.compile(r"[^\x00-\x1f\x7f]{0,100}")
S = TypeVar("S", bound=msgspec.Struct)


@post("/v1/claims", status_code=201, summary="Claim stock: many lines, all of it or what there is")
async def ask_claim(request: Request[Any, Any, Any]) -> Response[bytes]:
    """201 with what was set aside, 200 to a repeat; 409 where it is refused, or the id means another claim."""
    hub = context(request)
    who = hub.identify(request, "claims")
    _admit(hub, who.id)
    wanted = _read(ClaimWanted, await request.body())
    _check(wanted)
    nodes, lines = _routed(hub, wanted)
    codes = {x.item for x in wanted.lines}
    try:
        if hub.desk.items.missing(codes):
            await hub.desk.learn(codes)
        demands = tuple(demand(x, n, hub.desk.items.known) for n, x in enumerate(lines))
    except Rejected as error:
        raise _invalid(error) from None
    job = Asking(wanted, demands, nodes, _digest(encode(wanted)), _name(who))
    await _submit(hub, job)
    if job.said == "different":
        raise Problem(
            409, "claim-id-reused", f"the claim {wanted.claim} was asked for before, with another body"
        )
    if _REFUSED in job.answer:
        answer = answer_of(job.answer)
        if answer.state == "refused":
            raise _refused(answer)
    return _json(job.answer, 200 if job.said == "repeated" else 201)


@get("/v1/claims/{claim:str}", summary="A claim as it stands")
async def read_claim(request: Request[Any, Any, Any], claim: str) -> Response[bytes]:
    hub = context(request)
    hub.identify(request, "claims")
    view = await hub.desk.read(claim) if CLAIM_ID.fullmatch(claim) else None
    if view is None:
        raise _unknown(claim)
    return _json(encode(view), 200)


@post("/v1/claims/{claim:str}/commit", status_code=200, summary="Use what was claimed, all or parts of it")
async def commit_claim(request: Request[Any, Any, Any], claim: str) -> Response[bytes]:
    return await _act(request, claim, Commit)


@post(
    "/v1/claims/{claim:str}/release",
    status_code=200,
    summary="Give back what was claimed, all or parts of it",
)
async def release_claim(request: Request[Any, Any, Any], claim: str) -> Response[bytes]:
    return await _act(request, claim, Release)


@post("/v1/claims/{claim:str}/extend", status_code=200, summary="Let a claim expire later, or never")
async def extend_claim(request: Request[Any, Any, Any], claim: str) -> Response[bytes]:
    return await _act(request, claim, Extend)


@post(
    "/v1/claims/{claim:str}/change", status_code=200, summary="Other quantities of its lines, or another kind"
)
async def change_claim(request: Request[Any, Any, Any], claim: str) -> Response[bytes]:
    return await _act(request, claim, Change)


@post("/v1/claims/{claim:str}/transfer", status_code=200, summary="Hold it at another node instead")
async def transfer_claim(request: Request[Any, Any, Any], claim: str) -> Response[bytes]:
    return await _act(request, claim, Transfer)


async def _act(request: Request[Any, Any, Any], claim: str, shape: type[Act]) -> Response[bytes]:
    hub = context(request)
    who = hub.identify(request, "claims")
    _admit(hub, who.id)
    key = request.headers.get("idempotency-key", "")
    if not key:
        raise Problem(
            400, "idempotency-key-missing", "send an Idempotency-Key header: a repeat must not act twice"
        )
    if not CLAIM_ID.fullmatch(claim):
        raise _unknown(claim)
    act = _read(shape, await request.body() or b"{}")
    _check_act(act)
    if getattr(act, "lines", None):
        await hub.desk.learn_of(claim)
    name = shape.__name__.lower()
    job = Acting(
        claim, act, _digest(f"{claim}\0{name}\0{key}".encode()), _digest(encode(act)), _name(who), hub.desk.items.known
    )  # fmt: skip
    await _submit(hub, job)
    return _acted(job)


def _acted(job: Acting) -> Response[bytes]:
    match job.said:
        case "unknown":
            raise _unknown(job.claim)
        case "different":
            raise Problem(409, "idempotency-key-reused", "this Idempotency-Key came with another body before")
        case "ended":
            state = msgspec.json.decode(job.answer)["state"]
            raise Problem(409, "claim-ended", f"nothing of claim {job.claim} is open any more: it is {state}")
        case "taken":
            view = msgspec.json.decode(job.answer)
            ended = "took it over" if view["state"] == "taken_over" else "names it and is not served yet"
            raise Problem(
                409,
                "claim-taken-over",
                f"claim {job.claim} can only be used by {view['taken_by']}, which {ended}",
            )
        case "wrong":
            assert job.wrong is not None
            raise _invalid(job.wrong)
        case "refused":
            errors = tuple(
                {
                    "pointer": "/lines", "detail": f"line {x.line}: {x.wanted:f} wanted, {x.available:f} available",
                    "line": x.line, "item": x.item, "wanted": f"{x.wanted:f}", "available": f"{x.available:f}",
                }
                for x in job.lacking
            )  # fmt: skip
            raise Problem(409, "not-enough-stock", f"claim {job.claim} stays as it was", errors=errors)
        case _:
            return _json(job.answer, 200)


async def _submit(hub: Context, job: Asking | Acting) -> None:
    try:
        await hub.desk.submit(job)
    except Unavailable as error:
        raise Problem(503, "unavailable", str(error), retry_after=error.retry_after_seconds) from None


def _name(who: Identity) -> str:
    return f"api/{who.name}"


def _read(shape: type[S], body: bytes) -> S:
    try:
        return read(shape, body)
    except Malformed as error:
        place = {"pointer": error.at, "detail": error.reason}
        raise Problem(400, "malformed", str(error), errors=(place,)) from None
    except Rejected as error:
        raise _invalid(error) from None


def _check(wanted: ClaimWanted) -> None:
    """What no type says."""
    if not CLAIM_ID.fullmatch(wanted.claim):
        raise _wrong("/claim", "1 to 100 letters, digits, and . _ : - after the first")
    if not 0 < len(wanted.lines) <= LINES_MAX:
        raise _wrong("/lines", f"1 to {LINES_MAX} lines")
    names = [x.line or str(n + 1) for n, x in enumerate(wanted.lines)]
    if len(set(names)) < len(names):
        raise _wrong("/lines", "two lines have one name")
    if len(wanted.nodes) > NODES_MAX or len(set(wanted.nodes)) < len(wanted.nodes):
        raise _wrong("/nodes", f"at most {NODES_MAX}, each once")
    for place, line in enumerate(wanted.lines):
        for field in ("item", "line", "location", "lot"):
            if not _CODE.fullmatch(getattr(line, field)):
                raise _wrong(f"/lines/{place}/{field}", "at most 100 printable characters")
        if not line.item:
            raise _wrong(f"/lines/{place}/item", "is empty")
        if bool(line.location) != bool(wanted.lines[0].location) or (line.location and wanted.nodes):
            raise _wrong(
                f"/lines/{place}/location", "either every line names its location, or none and `nodes` do"
            )
    if not all(x and _CODE.fullmatch(x) for x in wanted.nodes):
        raise _wrong("/nodes", "at most 100 printable characters each")
    _check_seconds(wanted.expires_in_seconds)


def _check_act(act: Act) -> None:
    lines = getattr(act, "lines", None)
    if lines is not None and len({x.line for x in lines}) < len(lines):
        raise _wrong("/lines", "a line is named twice")
    match act:
        case Extend(expires_in_seconds=seconds):
            _check_seconds(seconds)
        case Change(lines=(), kind=""):
            raise _wrong("/", "name lines with their new quantities, or a kind")
        case Transfer(from_node=from_node, to_node=to_node):
            if not (from_node and to_node and _CODE.fullmatch(from_node) and _CODE.fullmatch(to_node)):
                raise _wrong("/to_node", "name two nodes")
            if from_node == to_node:
                raise _wrong("/to_node", "is where it is held already")
        case _:
            pass


def _check_seconds(seconds: int | None) -> None:
    if seconds is not None and not 0 < seconds <= EXPIRY_SECONDS_MAX:
        raise _wrong("/expires_in_seconds", f"1 to {EXPIRY_SECONDS_MAX}")


def _routed(hub: Context, wanted: ClaimWanted) -> tuple[tuple[str, ...], tuple[WantedLine, ...]]:
    """(nodes, lines with whose goods they are): by the routing table, unless the claim says it."""
    given = {x: getattr(wanted, x) for x in ("channel", "country", "region", "service")}
    policy = hub.hub.policy
    route = route_order(policy.routing, given, policy.erp, policy.location)
    if not wanted.nodes and not wanted.lines[0].location and any(map(policy.is_supplier, route.nodes)):
        raise _wrong(
            "/channel", f"{', '.join(route.nodes)} sends from a supplier's stock: there is nothing to claim"
        )
    lines = tuple(msgspec.structs.replace(x, owner=x.owner or route.owner) for x in wanted.lines)
    return wanted.nodes or (() if wanted.lines[0].location else route.nodes), lines


def _wrong(pointer: str, detail: str) -> Problem:
    place = {"pointer": pointer, "detail": detail}
    return Problem(422, "invalid-claim", f"{pointer}: {detail}", errors=(place,))


def _invalid(error: Rejected) -> Problem:
    return _wrong(error.path, error.reason)


def _refused(answer: ClaimAnswer) -> Problem:
    errors = tuple(
        {
            "pointer": f"/lines/{n}", "detail": f"{x.needed} of {x.item} wanted, {x.granted} available", "line": x.line,
            "item": x.item, "wanted": str(x.needed), "available": str(x.granted),
        }
        for n, x in enumerate(answer.lines)
        if x.granted.value < x.needed.value
    )  # fmt: skip
    detail = (
        f"claim {answer.claim} is refused as of {answer.as_of}: there is not enough of {len(errors)} lines"
    )
    return Problem(409, "not-enough-stock", detail, errors=errors)


def _unknown(claim: str) -> Problem:
    return Problem(404, "no-such-claim", f"nobody asked here for a claim {claim[:100]}")


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=16).digest()


def _json(body: bytes, status: int) -> Response[bytes]:
    return Response(body, status_code=status, media_type="application/json")


HANDLERS = (ask_claim, read_claim, commit_claim, release_claim, extend_claim, change_claim, transfer_claim)
