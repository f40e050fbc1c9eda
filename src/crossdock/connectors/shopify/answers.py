"""What an answer of the GraphQL Admin API means for the effect behind it.

Shopify reports most trouble with HTTP 200: throttling in `errors`, business refusals in `userErrors`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from crossdock.connect.contract import Refused, RetryLater, Unknown
from crossdock.connect.transport import Answer
from crossdock.connectors.shopify.replies import UserError

REASON_LENGTH_MAX: Final = 300
WAIT_SECONDS_MAX: Final = 60.0
TOKEN_WAIT_SECONDS: Final = 60.0
"""A refused token is a person's work; until then the account's effects wait, none of them is at fault."""
SHOP_WAIT_SECONDS: Final = 300.0
UNCLEAR_CODES: Final = ("INTERNAL_SERVER_ERROR", "TIMEOUT")


class Ended(Exception):  # an early end of a conversation, not an error
    """The conversation ends here, with this outcome."""

    def __init__(self, outcome: Refused | RetryLater | Unknown) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def data_of(answer: Answer, *, writes: bool) -> dict[str, Any]:
    """The `data` of a good answer; raises `Ended` for any other. `writes`: it may have been booked."""
    if answer.status != 200:
        raise Ended(http_outcome(answer, writes=writes))
    document = answer.json()
    if not isinstance(document, dict):
        raise Ended(unclear("an answer that is no JSON object", writes=writes))
    errors = document.get("errors")
    if errors:
        raise Ended(_errors_outcome(errors, document, writes=writes))
    data = document.get("data")
    if not isinstance(data, dict):
        raise Ended(unclear("an answer without data", writes=writes))
    return data


def unclear(reason: str, *, writes: bool) -> RetryLater | Unknown:
    """What an answer without sense means: a question may be asked again, a change may have been made."""
    return Unknown(reason=reason) if writes else RetryLater(reason=reason)


def http_outcome(answer: Answer, *, writes: bool) -> Refused | RetryLater | Unknown:
    """What an answer without 200 means."""
    after = answer.retry_after()
    match answer.status:
        case 429:
            return RetryLater(reason="429 too many requests", after_seconds=after or 2.0, throttled=True)
        case 401:
            return RetryLater(
                reason="401: the access token is not accepted", after_seconds=TOKEN_WAIT_SECONDS
            )
        case 402 | 423:
            return RetryLater(reason=f"{answer.status}: the shop is locked", after_seconds=SHOP_WAIT_SECONDS)
        case 503 if after is not None:
            return RetryLater(reason="503 unavailable", after_seconds=after, throttled=True)
        case status if status >= 500:
            return unclear(f"{status} without a clear word", writes=writes)
        case status:
            document = answer.json()
            told = document.get("errors") if isinstance(document, dict) else None
            return Refused(code=str(status), reason=_short(told) if told else f"HTTP {status}")


def _errors_outcome(
    errors: Any, document: Mapping[str, Any], *, writes: bool
) -> Refused | RetryLater | Unknown:
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {}
    codes = [_code(error) for error in errors] if isinstance(errors, list) else []
    if "THROTTLED" in codes:
        return RetryLater(reason="THROTTLED", after_seconds=throttle_seconds(document), throttled=True)
    if any(code.startswith("IDEMPOTENCY_CONCURRENT") for code in codes):
        return RetryLater(reason="an earlier attempt is still running", after_seconds=1.0)
    if any(code in UNCLEAR_CODES for code in codes):
        return unclear(_short(first.get("message", "")), writes=writes)
    return Refused(
        code=codes[0] if codes and codes[0] else "graphql", reason=_short(first.get("message") or errors)
    )


def _code(error: Any) -> str:
    extensions = error.get("extensions") if isinstance(error, dict) else None
    return str(extensions.get("code", "")) if isinstance(extensions, dict) else ""


def throttle_seconds(document: Mapping[str, Any]) -> float:
    """How long the bucket needs to hold what the query costs."""
    try:
        cost = document["extensions"]["cost"]
        bucket = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(bucket["currentlyAvailable"])
        seconds = missing / float(bucket["restoreRate"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 1.0
    return min(max(seconds, 0.05), WAIT_SECONDS_MAX)


def refusal(errors: Sequence[UserError]) -> Refused:
    """Shopify's `userErrors`, each with the path of the input field it is about."""
    sentences = [
        f"{'.'.join(error.field)}: {error.message}" if error.field else error.message for error in errors
    ]
    code = next((error.code for error in errors if error.code), "userErrors")
    return Refused(code=code, reason=_short("; ".join(sentences)))


def _short(text: Any) -> str:
    return str(text)[:REASON_LENGTH_MAX]
