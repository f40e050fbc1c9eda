"""`prove`: break the hub on purpose and let the twins' books judge."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from crossdock.cli.demo import remove_hub
from crossdock.cli.ending import run_or_end
from crossdock.cli.hub import JsonOption, note

FLAWS_SHOWN = 200
prove = typer.Typer(
    help="Break the hub on purpose; the twins' own books are the judge.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    app.add_typer(prove, name="prove")


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error for each stage that tells its progress."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    screen = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description:32}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen) as bars:
        tasks: dict[str, object] = {}

        def progress(name: str, done: int, of: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=of or None)
            bars.update(tasks[name], completed=done)  # type: ignore[arg-type]

        yield progress


def _end(flaws: Sequence[str], said: str, folder: Path, *, good: bool) -> None:
    """Every flaw by name, then the result; the data stays where there is a flaw."""
    for line in flaws[:FLAWS_SHOWN]:
        note("  " + line)
    sys.stdout.write(said + "\n")
    if not good:
        note(f"The data stays in {folder}")
        raise typer.Exit(1)
    remove_hub(folder)


@prove.command()
def kill(
    orders: Annotated[int, typer.Option(help="Orders that run meanwhile.", min=1)] = 200,
    kills: Annotated[int, typer.Option(help="SIGKILLs of each process and each twin.", min=0)] = 2,
    stops: Annotated[int, typer.Option(help="SIGSTOPs of 60 s of worker and delivery, each.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="The same seed is the same mischief.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Kill worker, API, delivery, supervisor, postmaster and every twin while orders run; count what was lost or doubled."""
    from crossdock.prove.kill import run

    folder = Path(tempfile.mkdtemp(prefix="crossdock-prove-"))
    note(f"Seed {seed}. Data in {folder} until the end.")
    with _bars() as progress:
        proof, findings = run_or_end(
            run(folder, orders=orders, kills=kills, stops=stops, seed=seed, progress=progress)
        )
    flaws = (*findings.lost, *findings.doubled, *findings.violations, *proof.differences)
    said = (
        f"{proof.orders} orders, {proof.lost_events} lost, {proof.duplicated_effects} doubled, {proof.order_violations} out of order;"
        f" worker back in {proof.worker_resume_s_max} s, PostgreSQL in {proof.postgres_resume_s_max} s at most; seed {seed}"
    )
    _end(flaws, proof.as_json() if as_json else said, folder, good=proof.good)


@prove.command()
def claims(
    claims: Annotated[int, typer.Option(help="Claims that are asked for.", min=1)] = 3000,
    kills: Annotated[int, typer.Option(help="SIGKILLs of API, worker and PostgreSQL, each.", min=0)] = 3,
    seed: Annotated[int, typer.Option(help="The same seed is the same claims and kills.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Let 64 callers claim scarce stock while API, worker and PostgreSQL are killed; then judge the ledger and every answer."""
    from crossdock.prove.claims import run

    with _bars() as progress:
        proof = run_or_end(run(claims=claims, kills=kills, seed=seed, progress=progress))
    for line in proof.differences[:50]:
        note("  " + line)
    if as_json:
        sys.stdout.write(proof.as_json() + "\n")
    else:
        sys.stdout.write(
            f"{proof.claims} claims, {proof.granted} granted, {proof.acts} acts, {proof.asked_again} asked again: {proof.oversold} oversold,"
            f" {proof.lost_answers} answers lost; seed {seed}\n"
        )
    if not proof.good:
        note(f"The data stays in {proof.data}")
        raise typer.Exit(1)


@prove.command()
def answers(
    orders: Annotated[int, typer.Option(help="Orders that run meanwhile.", min=1)] = 60,
    share: Annotated[float, typer.Option(help="Share of answers that are lost.", min=0.0, max=0.9)] = 0.2,
    seed: Annotated[int, typer.Option(help="The same seed is the same day.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Lose answers of every twin after it did what it was asked; count what was lost or doubled, and how long it was unclear."""
    from crossdock.prove.answers import run

    folder = Path(tempfile.mkdtemp(prefix="crossdock-prove-"))
    note(f"Seed {seed}. Data in {folder} until the end.")
    with _bars() as progress:
        proof, findings = run_or_end(run(folder, orders=orders, share=share, seed=seed, progress=progress))
    flaws = (*findings.lost, *findings.doubled, *findings.violations, *proof.differences, *proof.late)
    slowest = max(proof.settle_p99_s.items(), key=lambda x: x[1], default=("", 0.0))
    said = (
        f"{proof.orders} orders, {proof.lost_answers} answers lost: {proof.lost_events} lost, {proof.duplicated_effects} doubled,"
        f" {proof.order_violations} out of order; slowest to settle (p99): {slowest[0]} {slowest[1]} s; seed {seed}"
    )
    _end(flaws, proof.as_json() if as_json else said, folder, good=proof.good)


@prove.command()
def dead(
    seconds: Annotated[int, typer.Option(help="How long the target is dead.", min=10, max=3600)] = 60,
    as_json: JsonOption = False,
) -> None:
    """Let one target be dead and come back; say what the others lost, and how it was called."""
    from crossdock.prove.dead import run

    with _bars() as progress:
        proof = run_or_end(run(seconds=seconds, progress=progress))
    for line in proof.flaws:
        note("  " + line)
    if as_json:
        sys.stdout.write(proof.as_json() + "\n")
    else:
        sys.stdout.write(
            f"Dead for {proof.seconds} s: the other target kept {proof.kept:.1%} of its rate; {proof.waited} effects waited and were"
            f" gone {proof.drained_s} s after the return, {proof.calls_per_effect} calls each, {proof.calls_per_second_max} calls a"
            f" second at most of {proof.budget_per_second:g} (burst {proof.burst}), {proof.passed} overtaken\n"
        )
    if not proof.good:
        raise typer.Exit(1)
