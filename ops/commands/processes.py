"""`tallymill ingress`, `worker`, `console`: one process, as production runs it. `probe`: whether it is well."""

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def ingress() -> None:
    """Run one ingress process, which takes batches over HTTP and writes them to Kafka.

    Settings come from the environment or a TOML file.
    """
    from ingress import server
    from ingress.config import IngressConfig
    from ops import run
    from ops.config import ingress_config

    raise typer.Exit(run.run_process("ingress", ingress_config, server.run, IngressConfig.model_fields))


@app.command()
def worker() -> None:
    """Run one worker process, which reads batches from Kafka and writes counts to MongoDB.

    Settings come from the environment or a TOML file.
    """
    from consumer import server
    from consumer.config import WorkerConfig
    from ops import run
    from ops.config import worker_config

    raise typer.Exit(run.run_process("worker", worker_config, server.run, WorkerConfig.model_fields))


@app.command()
def console() -> None:
    """Run one console process, which answers queries of the counts over HTTP.

    Settings come from the environment or a TOML file.
    """
    from console import server
    from console.config import ConsoleConfig
    from ops import run
    from ops.config import console_config

    raise typer.Exit(run.run_process("console", console_config, server.run, ConsoleConfig.model_fields))


@app.command()
def probe(
    url: Annotated[str, typer.Argument(help="What to ask: /readyz or /livez of a process.", metavar="URL")],
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.001, max=86_400, help="Seconds until the answer must be there.")
    ] = 2.0,
) -> None:
    """Succeed if a URL answers 2xx: the health check of a container, which needs no curl.

    Otherwise one line on standard error says why, and the exit status is 1.
    """
    # A plain call of it does not come here: see ops/__main__.py.
    from ops.probe import ask

    raise typer.Exit(ask.probe(url, timeout))
