"""The composition root: one function per role makes the object graph of a process and runs it.

Each imports what its own process needs, so that a worker does not hold the web server in memory.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping

import structlog
import uvloop

from crossdock import __version__
from crossdock.runtime.children import SUPERVISOR_VARIABLE, listening_socket
from crossdock.runtime.hub import Hub


def run_api(hub: Hub) -> None:
    """Serve until a signal comes."""
    import uvicorn

    from crossdock.api.application import api_app

    _log_to_stderr()
    served = api_app(hub)
    config = uvicorn.Config(
        served, host=hub.settings.bind, port=hub.settings.port, log_config=None, access_log=False, loop="uvloop",
        http="httptools", lifespan="on", timeout_keep_alive=75, timeout_graceful_shutdown=5, server_header=False,
        date_header=False, backlog=2048,
    )  # fmt: skip
    server = uvicorn.Server(config)

    def finish() -> None:
        """Requests under way are answered first; a cancelled server would cut them. Those that wait are sent home."""
        server.should_exit = True
        opened = served.state.get("context")
        if opened is not None:
            opened.end()

    handed = listening_socket()
    _with_parent_watch(lambda: server.serve([handed] if handed else None), finish)


def run_worker(hub: Hub) -> None:
    from crossdock.runtime.worker import Worker

    _log_to_stderr()
    _with_parent_watch(Worker(hub).run)


def run_delivery(hub: Hub) -> None:
    from crossdock.runtime.delivery import Delivery

    _log_to_stderr()
    _with_parent_watch(Delivery(hub).run)


ORPHAN_SECONDS = 8.0
"""How long a process without its supervisor may take to finish what it is doing."""


def _with_parent_watch(run: Callable[[], Awaitable[None]], finish: Callable[[], None] | None = None) -> None:
    """Run until SIGTERM/SIGINT; a process whose supervisor is gone stops as well. `finish` ends `run`, else a cancel."""
    # Values never form cycles (their types say so), so the collector has little to find: it need not look often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(run())
        end = finish or task.cancel
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        watch = asyncio.create_task(_stop_without_parent(end))
        try:
            await task
        except asyncio.CancelledError:
            pass
        finally:
            watch.cancel()

    uvloop.run(main())


async def _stop_without_parent(end: Callable[[], object]) -> None:
    """The supervisor names itself, since it may be gone before this process looks. Without one, nobody is watched."""
    supervisor = os.environ.get(SUPERVISOR_VARIABLE)
    while supervisor is None or str(os.getppid()) == supervisor:
        await asyncio.sleep(0.25)
    end()
    await asyncio.sleep(ORPHAN_SECONDS)
    os._exit(1)  # it did not end by itself; whoever runs the hub now has taken over its work


def _log_to_stderr() -> None:
    """JSON lines on stderr; the supervisor keeps them in files of bounded size."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format='{"level":"%(levelname)s","event":%(message)r}'
    )
    # Without a database the pool tells of every connection with a stack trace; our processes say it themselves.
    logging.getLogger("asyncpg.pool").setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info, structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )  # fmt: skip


ROLES = ("api", "worker", "delivery")


def run_roles(hub: Hub, flags: Mapping[str, object], roles: tuple[str, ...] = ROLES) -> None:
    """The supervisor with these roles; `flags` are what the command line said of settings."""
    from crossdock.runtime.supervisor import Supervisor

    _log_to_stderr()

    def ready() -> None:
        address = f"http://{hub.settings.bind}:{hub.settings.port}"
        sys.stderr.write(
            f"crossdock {__version__} serves {address}; operator token in {hub.private / 'operator.token'}\n"
        )

    asyncio.run(Supervisor(hub, roles, flags, ready).run())
