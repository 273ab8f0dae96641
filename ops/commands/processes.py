"""`tallymill ingress`, `worker`, `console`: one process, as production runs it."""

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

    raise typer.Exit(run.run_process(ingress_config, server.run, IngressConfig.model_fields))


@app.command()
def worker() -> None:
    """Run one worker process, which reads batches from Kafka and writes counts to MongoDB.

    Settings come from the environment or a TOML file.
    """
    from consumer import server
    from consumer.config import WorkerConfig
    from ops import run
    from ops.config import worker_config

    raise typer.Exit(run.run_process(worker_config, server.run, WorkerConfig.model_fields))


@app.command()
def console() -> None:
    """Run one console process, which answers queries of the counts over HTTP.

    Settings come from the environment or a TOML file.
    """
    from console import server
    from console.config import ConsoleConfig
    from ops import run
    from ops.config import console_config

    raise typer.Exit(run.run_process(console_config, server.run, ConsoleConfig.model_fields))
