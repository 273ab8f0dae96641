"""`tallymill verify`."""

import typer

from ops.commands.options import Json, run

app = typer.Typer()


@app.command()
def verify(*, as_json: Json = False) -> None:
    """Count the records in Kafka again, and compare every count in MongoDB with the result.

    Exit status 1: counts differ, or records are lost. 2: Kafka or MongoDB is unavailable, or a setting is wrong.
    """
    from ops.verify.command import verify as work

    run("verify", work(as_json=as_json))
