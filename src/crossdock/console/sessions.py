"""Console sessions: a row per login, found by the HMAC of its cookie; revoked with its access key; 30 min idle, 12 h at most."""

import hmac
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from hashlib import sha256
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request

from crossdock.access.tokens import Identity, id_of
from crossdock.api.context import Context, context
from crossdock.api.problems import Problem

IDLE_MINUTES: Final = 30
LIFE_HOURS: Final = 12
TRIES_MAX: Final = 10
TRIES_SECONDS: Final = 300.0
ADDRESSES_MAX: Final = 10_000
_LOOPBACK: Final = ("127.0.0.1", "::1")
_FIND = (
    "select access_key, csrf, used_at < clock_timestamp() - interval '1 minute' as stale from session where id = $1"
    f" and used_at > clock_timestamp() - interval '{IDLE_MINUTES} minutes'"
    f" and created_at > clock_timestamp() - interval '{LIFE_HOURS} hours'"
)


class LoginNeeded(Exception):
    """Nobody is logged in; `after` is where they wanted to go."""

    def __init__(self, after: str = "/") -> None:
        super().__init__("log in first")
        self.after = after


@dataclass(frozen=True, slots=True)
class Session:
    """Who is looking, and the token that their forms carry."""

    id: bytes
    who: Identity
    csrf: str

    @property
    def may_act(self) -> bool:
        return "operator" in self.who.scopes


def is_https(request: Request[Any, Any, Any]) -> bool:
    """Behind a proxy its word is taken: it can only make the cookie stricter."""
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto", "").lower() == "https"


def cookie_name(request: Request[Any, Any, Any]) -> str:
    return "__Host-crossdock" if is_https(request) else "crossdock"


def _id_of(hub: Context, cookie: str) -> bytes:
    return hmac.new(hub.hub.key.derive("console sessions"), cookie.encode(), sha256).digest()


async def begin(hub: Context, who: Identity, old_cookie: str | None) -> str:
    """A fresh session; the one that came along (perhaps planted) ends. Returns the cookie's value."""
    cookie = secrets.token_urlsafe(32)
    async with hub.pool.acquire() as connection:
        await connection.execute(
            "delete from session where id = $1 or used_at < clock_timestamp() - interval '1 day'",
            _id_of(hub, old_cookie or ""),
        )
        await connection.execute(
            "insert into session (id, access_key, csrf) values ($1, $2, $3)",
            _id_of(hub, cookie), who.id, secrets.token_urlsafe(24),
        )  # fmt: skip
    return cookie


async def end(hub: Context, session: Session, *, everywhere: bool = False) -> None:
    async with hub.pool.acquire() as connection:
        if everywhere:
            await connection.execute("delete from session where access_key = $1", session.who.id)
        else:
            await connection.execute("delete from session where id = $1", session.id)


async def entered(request: Request[Any, Any, Any], *, looking: bool = True) -> Session:
    """The session of this request. Raises `LoginNeeded`. A page that only polls (`looking` false) keeps nobody alive."""
    hub = context(request)
    cookie = request.cookies.get(cookie_name(request), "")
    after = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if not cookie or len(cookie) > 100:
        raise LoginNeeded(after)
    found = _id_of(hub, cookie)
    async with hub.pool.acquire() as connection:
        row = await connection.fetchrow(_FIND, found)
        if row is not None and looking and row["stale"]:
            await connection.execute("update session set used_at = clock_timestamp() where id = $1", found)
    key = hub.keys.get(row["access_key"]) if row is not None else None
    if row is None or key is None or not key.identity.scopes & {"read", "operator"}:
        raise LoginNeeded(after)
    return Session(found, key.identity, row["csrf"])


async def acting(request: Request[Any, Any, Any]) -> tuple[Session, dict[str, str]]:
    """The session and form of a POST that may change something: our own page sent it, and its sender may."""
    check_origin(request)
    session = await entered(request)
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    if not hmac.compare_digest(form.get("csrf", "").encode(), session.csrf.encode()):
        raise Problem(
            403, "stale-form", "this form is from another session: reload the page and send it again"
        )
    return session, form


def check_origin(request: Request[Any, Any, Any]) -> None:
    """A page of ours sent this. Under no-referrer browsers send `Origin: null` with forms; then only the browser's
    own word counts, which no page can forge.
    """
    origin = request.headers.get("origin", "null")
    if origin != "null":
        ours = urlsplit(origin).netloc == request.headers.get("host", "")
    else:
        ours = request.headers.get("sec-fetch-site") == "same-origin"
    if not ours:
        raise Problem(403, "foreign-origin", "this request did not come from a page of this hub")


@dataclass
class LoginLimit:
    """How often a login failed lately, by address and by the account named in the token; in this process."""

    _failures: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def refuses(self, request: Request[Any, Any, Any], token: str) -> bool:
        """Too many wrong tokens came from there, or for that account."""
        since = monotonic() - TRIES_SECONDS
        found = [self._failures.get(key, ()) for key in self._keys(request, token)]
        return any(sum(1 for at in tries if at > since) >= TRIES_MAX for tries in found)

    def note_failure(self, request: Request[Any, Any, Any], token: str) -> None:
        for key in self._keys(request, token):
            self._failures.setdefault(key, deque(maxlen=TRIES_MAX)).append(monotonic())
            self._failures.move_to_end(key)
        while len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)

    @staticmethod
    def _keys(request: Request[Any, Any, Any], token: str) -> list[str]:
        account = id_of(token)
        return [f"at {address(request)}", *([f"as {account}"] if account else [])]


def address(request: Request[Any, Any, Any]) -> str:
    """The caller's address: the peer, or what a proxy on this machine added last. Anything further left is hearsay."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "")
    return forwarded.rpartition(",")[2].strip() if forwarded and peer in _LOOPBACK else peer
