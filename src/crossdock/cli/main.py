"""The command line. Data on stdout, notes on stderr; exit 0 ok, 1 failed, 2 usage, 3 partly, 4 refused by policy.

Commands import what they need when they run, so that `--help` is quick.
"""

import sys

import typer

from crossdock.cli import (
    audit,
    backup,
    bench,
    cases,
    config,
    connector,
    correct,
    day,
    demo,
    doctor,
    effects,
    erasure,
    find,
    gaps,
    gates,
    holds,
    hub,
    master,
    migrate,
    prove,
    reconcile,
    replay,
    reversals,
    send,
    stock,
    tail,
    token,
    trace,
)  # fmt: skip

app = typer.Typer(
    name="crossdock", help="Logistics integration hub: orders, stock, shipments and ERP postings the same everywhere.",
    no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, rich_markup_mode=None,
)  # fmt: skip
hub.register(app)
find.register(app)
trace.register(app)
gaps.register(app)
gates.register(app)
tail.register(app)
send.register(app)
demo.register(app)
bench.register(app)
prove.register(app)
config.register(app)
connector.register(app)
doctor.register(app)
migrate.register(app)
master.register(app)
stock.register(app)
correct.register(app)
replay.register(app)
reconcile.register(app)
day.register(app)
cases.register(app)
effects.register(app)
erasure.register(app)
reversals.register(app)
holds.register(app)
audit.register(app)
backup.register(app)
token.register(app)


def run() -> None:
    """Entry point: expected errors are one sentence, never a stack trace."""
    from crossdock.errors import CrossdockError

    try:
        app()
    except CrossdockError as error:
        sys.stderr.write(f"crossdock: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
