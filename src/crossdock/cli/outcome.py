"""What came of a message: handed to the signed intake as its system would, then asked for until it is known."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from crossdock.client import Client, Refused, Unreachable, read_story

LOOK_SECONDS: Final = 0.2
BUSY: Final = (429, 503)
NOTHING: Final = "nothing in it concerns an object of this hub"
Json = dict[str, Any]
Outcome = Literal["story", "case", "kept", "refused"]
"""story: threads have it. case: it could not be translated. kept: committed, and no more is known yet.
refused: nothing of it was kept.
"""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One document's fate. `detail` names the orders, or the place of what is wrong and the reason."""

    file: str
    outcome: Outcome
    detail: str = ""
    verdict: str = ""
    message: str = ""
    threads: list[Json] = field(default_factory=list)
    case: Json | None = None


async def deliver(client: Client, path: str, body: bytes, headers: dict[str, str], end: float) -> Json:
    """The intake's answer, also where it says no. A hub that is busy is asked again until `end`."""
    while True:
        try:
            answer: Json = await client.request("POST", path, accept=(200, 202), body=body, headers=headers)
        except Refused as error:
            if error.status in BUSY and asyncio.get_running_loop().time() + 1 < end:
                await asyncio.sleep(1)
                continue
            found = error.problem if isinstance(error.problem, dict) else {}
            return found | {"refused": str(error)}
        except Unreachable as error:
            return {"refused": str(error), "lost": True}
        return answer


async def outcome(client: Client, file: str, answer: Json, end: float) -> Sent:
    """Looks until what came of it is known, or until `end`. What was kept stays so, also when nothing more is told."""
    untranslated = answer.get("errors") or answer.get("problem")
    if "refused" in answer and not untranslated:
        return Sent(file=file, outcome="refused", detail=answer["refused"])
    try:
        return await (_untranslated if untranslated else _translated)(client, file, answer, end)
    except (Refused, Unreachable) as error:
        verdict, message = answer.get("verdict", ""), answer.get("message", "")
        return Sent(file=file, outcome="kept", detail=str(error), verdict=verdict, message=message)


async def _translated(client: Client, file: str, answer: Json, end: float) -> Sent:
    stories = [await _story(client, thread, end) for thread in answer["threads"]]
    known = [story for story in stories if story is not None]
    threads = [
        {
            "thread": x["thread"],
            "title": x["headline"]["title"],
            "phase": x["phase"],
            "sentence": x["sentence"],
        }
        for x in known
    ]
    return Sent(
        file=file, outcome="story" if known and len(known) == len(stories) else "kept",
        detail=", ".join(x["title"] for x in threads) if stories else NOTHING, verdict=answer["verdict"],
        message=answer.get("message", ""), threads=threads,
    )  # fmt: skip


async def _story(client: Client, thread: str, end: float) -> Json | None:
    """The thread's story once it stands still for a look: what was sent is in it then. At `end`, as it is."""
    before, story = None, None
    while True:
        story = await read_story(client, thread) or story
        stands = story and (story["phase"], story["waiting_on"], len(story["timeline"]), len(story["cases"]))
        if (stands and stands == before) or asyncio.get_running_loop().time() >= end:
            return story
        before = stands
        await asyncio.sleep(LOOK_SECONDS)


async def _untranslated(client: Client, file: str, answer: Json, end: float) -> Sent:
    """Kept, but no mapping could read it: the case says whose move it is."""
    detail = answer.get("detail", "")
    if answer.get("errors"):
        detail = ", ".join(": ".join(x for x in (e["pointer"], e["detail"]) if x) for e in answer["errors"])
    story = await _of_message(client, answer["id"], end) if answer.get("id") else None
    message = (story or {}).get("thread", "").partition("/")[2] or answer.get("message", "")
    if story is None:
        kept: Outcome = "kept" if answer.get("id") else "refused"
        return Sent(
            file=file, outcome=kept, detail=detail, verdict=answer.get("verdict", ""), message=message
        )
    case = next((c for c in story["cases"]), None)
    return Sent(
        file=file, outcome="case", detail=detail, verdict=answer.get("verdict", "kept"), message=message,
        case=case and {name: case[name] for name in ("number", "title", "detail", "owner", "cause")},
    )  # fmt: skip


async def _of_message(client: Client, id_: str, end: float) -> Json | None:
    """The story of the message kept under this id, now or when it came first."""
    while True:
        hits = (await client.get("/v1/find", q=id_))["hits"]
        thread = next((h["found"]["thread"] for h in hits if h["found"]["kind"] == "message"), "")
        if thread:
            found: Json | None = await read_story(client, thread)
            return found
        if asyncio.get_running_loop().time() >= end:
            return None
        await asyncio.sleep(LOOK_SECONDS)
