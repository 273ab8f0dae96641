"""`tallymill doctor`."""

import typer

from ops.commands.options import Json, run

app = typer.Typer()


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Check everything that exactly-once counting depends on, also clocks. Changes nothing but its kept result.

    Exit status 1: something is wrong.
    """
    from ops.doctor.command import doctor as work

    run("doctor", work(as_json=as_json))
