"""`tallymill canary`."""

import typer

app = typer.Typer()


@app.command()
def canary() -> None:
    """Send a small batch through the ingress every ten seconds, and check that each counts exactly once.

    The outcomes are metrics, on a port of its own. Settings come from the environment or a TOML file.
    """
    from ops import run
    from ops.canary import server

    raise typer.Exit(run.run_process("canary", server.canary_config, server.run, ("canary", "tokens")))
