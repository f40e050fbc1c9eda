"""Logging in with an access token, and out again."""

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie

from crossdock.api.context import context
from crossdock.api.problems import Problem
from crossdock.console import sessions
from crossdock.console.render import headers, page
from crossdock.store import access

NEXT_LENGTH_MAX = 500


@get("/login", include_in_schema=False)
async def login_form(request: Request[Any, Any, Any], after: str = "/") -> Response[str]:
    return page(request, "login.html", None, after=_local(after), wrong="")


@post("/login", include_in_schema=False, status_code=200)
async def login(request: Request[Any, Any, Any]) -> Response[Any]:
    """A right token begins a session of its own; a wrong one is told nothing but that."""
    sessions.check_origin(request)
    hub = context(request)
    form = await request.form()
    token, after = str(form.get("token", "")).strip(), _local(str(form.get("after", "/")))
    limit = getattr(request.app.state, "login_limit", None) or sessions.LoginLimit()
    request.app.state.login_limit = limit
    if limit.refuses(request, token):
        wrong = "Too many tries. Wait five minutes, then try again."
        return page(request, "login.html", None, status=429, after=after, wrong=wrong)
    who = hub.identity_of(token)
    if who is None or not who.scopes & {"read", "operator"}:
        limit.note_failure(request, token)
        wrong = "This is no live token that may look at the console."
        return page(request, "login.html", None, status=403, after=after, wrong=wrong)
    cookie = await sessions.begin(hub, who, request.cookies.get(sessions.cookie_name(request)))
    async with hub.pool.acquire() as connection:
        await access.note_action(
            connection, who.name, "login", "console", "", address=sessions.address(request)
        )
    return _to(request, after, _cookie(request, cookie, sessions.LIFE_HOURS * 3600))


@post("/logout", include_in_schema=False, status_code=303)
async def logout(request: Request[Any, Any, Any]) -> Response[Any]:
    """Of this session, or (`everywhere`) of all sessions of the same token."""
    session, form = await sessions.acting(request)
    await sessions.end(context(request), session, everywhere=bool(form.get("everywhere")))
    return _to(request, "/login", _cookie(request, "", 0))


def to_login(request: Request[Any, Any, Any], error: sessions.LoginNeeded) -> Response[Any]:
    """Pages lead to the form; what a script asks for says 401."""
    if (
        request.method != "GET"
        or request.url.path.startswith("/console/")
        or "fragment" in request.query_params
    ):
        return Response(b"", status_code=401, headers=headers(request))
    return _to(request, f"/login?after={quote(error.after, safe='')}", None)


def on_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[str]:
    """A page that says what was wrong and what to do."""
    return page(request, "problem.html", None, status=problem.status, problem=problem)


def _to(request: Request[Any, Any, Any], place: str, cookie: Cookie | None) -> Response[Any]:
    return Response(
        b"",
        status_code=303,
        headers=headers(request) | {"Location": place},
        cookies=[cookie] if cookie else [],
    )


def _cookie(request: Request[Any, Any, Any], value: str, seconds: int) -> Cookie:
    return Cookie(
        key=sessions.cookie_name(request), value=value, path="/", max_age=seconds, httponly=True, samesite="lax",
        secure=sessions.is_https(request),
    )  # fmt: skip


def _local(place: str) -> str:
    """A path of this hub; anything that could lead elsewhere becomes the first page."""
    fine = place.startswith("/") and not place.startswith(("//", "/\\")) and len(place) <= NEXT_LENGTH_MAX
    return place if fine and place.isprintable() and "\\" not in place else "/"
