"""From a template to an answer: what a page may say about time, numbers and ids, and the headers every page wears."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any, Final

import jinja2
from litestar import Request, Response
from markupsafe import Markup

from crossdock import __version__
from crossdock.api.context import context
from crossdock.console.sessions import Session
from crossdock.model.money import Money
from crossdock.views.story_sentence import ago
from crossdock.views.words import spoken

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types crossdock"
)
SECURITY: Final = {
    "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()", "X-Frame-Options": "DENY",
}  # fmt: skip
NO_STORE: Final = {"Cache-Control": "no-store"}
ASSETS: Final = {
    "console.css": "text/css",
    "console.js": "text/javascript",
    "theme.js": "text/javascript",
    "mark.svg": "image/svg+xml",
}
THIN: Final = "\N{NARROW NO-BREAK SPACE}"


@cache
def asset(name: str) -> bytes:
    """A file of `static/`, read once."""
    return (resources.files("crossdock.console") / "static" / name).read_bytes()


def asset_url(name: str) -> str:
    """Changes with the file, so that browsers may keep it."""
    return f"/console/static/{name}?v={blake2b(asset(name), digest_size=6).hexdigest()}"


@cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("crossdock.console"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {
        "number": number,
        "money": money,
        "short": short,
        "when": when,
        "spoken": spoken,
        "instant": instant,
        "rate": rate,
    }
    found.globals |= {"asset": asset_url, "version": __version__}
    return found


def page(
    request: Request[Any, Any, Any], template: str, session: Session | None, *, status: int = 200, **values: Any
) -> Response[str]:  # fmt: skip
    """A whole page."""
    hub = context(request)
    text = _environment().get_template(template).render(
        hub=hub.hub.settings.name, region=hub.hub.settings.region, session=session, now=datetime.now(UTC), **values
    )  # fmt: skip
    return Response(text, status_code=status, media_type="text/html", headers=headers(request))


def headers(request: Request[Any, Any, Any]) -> dict[str, str]:
    from crossdock.console.sessions import is_https

    strict = {"Strict-Transport-Security": "max-age=31536000"} if is_https(request) else {}
    return SECURITY | NO_STORE | strict


def number(value: Decimal | int | str) -> str:
    """`1 240.5`: thin spaces in the thousands, no trailing zeros."""
    exact = Decimal(value)
    text = f"{exact:f}"
    whole, _, rest = text.partition(".")
    rest = rest.rstrip("0")
    grouped = f"{int(whole):,}".replace(",", THIN)
    grouped = "-" + grouped if whole.startswith("-0") else grouped
    return f"{grouped}.{rest}" if rest else grouped


def money(value: Money | None) -> str:
    """`EUR 1 240.00`: as many digits as the sender gave, two at least."""
    if value is None:
        return "—"
    whole, _, rest = f"{value.amount:f}".partition(".")
    return f"{value.currency}{THIN}{int(whole):,}".replace(",", THIN) + "." + rest.ljust(2, "0")


def rate(per_second: float | None) -> str:
    """`12.4 per s`; slow things by the minute. A dash where nobody counted, which is not nothing."""
    if per_second is None:
        return "—"
    if per_second < 1:
        return f"{number(round(per_second * 60))} per min"
    return f"{number(Decimal(f'{per_second:.1f}') if per_second < 100 else round(per_second))} per s"


def short(text: str, size: int = 18) -> str:
    """The two ends of a long id."""
    return text if len(text) <= size else f"{text[: size // 2]}…{text[-(size // 2 - 1) :]}"


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def when(at: datetime | None, show: str = "clock", now: datetime | None = None) -> Markup:
    """A `time` element. The browser turns it into the viewer's zone; without a script it says UTC.

    show: clock (14:02), age (18 min ago), lasting (18 min), both (14:02, 18 min ago).
    """
    if at is None:
        return Markup('<span class="none">—</span>')
    at = at.astimezone(UTC)
    now = now or datetime.now(UTC)
    clock = f"{at:%H:%M}" if at.date() == now.date() else f"{at:%a %d %b %H:%M}"
    age = ago(at, now)
    text = {
        "clock": f"{clock} UTC",
        "age": age,
        "lasting": age.removesuffix(" ago"),
        "both": f"{clock} UTC ({age})",
    }[show]
    return Markup('<time datetime="{}" data-show="{}" title="{}">{}</time>').format(
        instant(at), show, f"{at:%Y-%m-%d %H:%M:%S} UTC", text
    )
