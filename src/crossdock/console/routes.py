"""All of the console as one router."""

from litestar import Router

from crossdock.api.problems import Problem
from crossdock.console import cases, corrections, gates, login, now, pages, replays, systems, unknown, watched
from crossdock.console.sessions import LoginNeeded


def router() -> Router:
    """Its refusals are pages; who is not logged in is led to the form."""
    return Router(
        path="/",
        route_handlers=[
            login.login_form, login.login, login.logout, now.now, now.stamp, pages.find, pages.story, pages.lineage, pages.reveal,
            pages.stamp, pages.static, cases.list_cases, cases.show_case, cases.retry, cases.act, cases.assign_many, watched.list_watched, watched.see, unknown.list_unknown, unknown.decide,
            gates.list_gates, systems.list_systems, systems.act, systems.place, systems.lift,
            corrections.look, corrections.edit, corrections.list_all, corrections.show, corrections.decide, corrections.withdraw,
            replays.list_all, replays.ask, replays.show, replays.turn,
        ],
        exception_handlers={Problem: login.on_problem, LoginNeeded: login.to_login},
    )  # fmt: skip
