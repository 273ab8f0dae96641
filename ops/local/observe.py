"""What `up --observe` starts beside the system: a canary, and a Prometheus that scrapes all processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.config import Settings, variable_of
from ops.local.servers.paths import PROMETHEUS
from ops.local.servers.ports import LOOPBACK, Wanted
from ops.local.servers.processes import Program
from ops.local.servers.prometheus import USUAL_PORT, PrometheusFiles, prometheus_program
from ops.private_file import private_folder

CANARY = "canary"
PROGRAM = "prometheus"

# In their order. The canary is stopped before the ingress that it sends to.
NAMES = (CANARY, PROGRAM)
PROBES = {CANARY: "/readyz", PROGRAM: "/-/ready"}

# A person who tries it does not wait for 15 s.
SCRAPE_SECONDS = 5

# The canary ends at once; this is for a busy machine.
CANARY_STOP_SECONDS = 5

# The labels of a job name the process as `tallymill status` does.
JOBS = {"tallymill-ingress": "ingress", "tallymill-worker": "worker", "tallymill-console": "console"}
JOBS |= {"tallymill-canary": CANARY}


@dataclass(frozen=True, slots=True)
class Observing:
    """The ports of a system, by the names of its processes, and what its processes are started with."""

    data: Path
    ports: Mapping[str, int]
    command: Sequence[str]
    environ: Mapping[str, str]


def wanted_ports(settings: Settings) -> list[Wanted]:
    """Of the canary and of Prometheus."""
    is_set = "metrics_port" in settings.canary.model_fields_set
    canary = Wanted(CANARY, settings.canary.metrics_port, "canary.metrics_port" if is_set else None)
    return [canary, Wanted(PROGRAM, USUAL_PORT)]


def programs(files: PrometheusFiles, observing: Observing, settings: Settings) -> list[Program]:
    """The programs, in the order of NAMES. Writes Prometheus's configuration."""
    home = (observing.data / PROGRAM).resolve()
    private_folder(home)
    config = home / "prometheus.yml"
    config.write_text(local_config(observing.ports))
    own = {variable_of("canary.metrics_port"): str(observing.ports[CANARY])}
    if settings.canary.url is None:
        own[variable_of("canary.url")] = f"http://{LOOPBACK}:{observing.ports['ingress']}"
    canary = Program(CANARY, tuple(observing.command), {**observing.environ, **own}, CANARY_STOP_SECONDS)
    return [canary, prometheus_program(files, config, home / "data", observing.ports[PROGRAM])]


def local_config(ports: Mapping[str, int]) -> str:
    """The shipped scrape configuration with the addresses of this system."""
    document: dict[str, Any] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    document["global"] = {
        "scrape_interval": f"{SCRAPE_SECONDS}s",
        "scrape_timeout": f"{SCRAPE_SECONDS}s",
        "evaluation_interval": f"{SCRAPE_SECONDS}s",
    }
    document["rule_files"] = [str(PROMETHEUS / name) for name in document["rule_files"]]
    for job in document["scrape_configs"]:
        name = JOBS[job["job_name"]]
        found = [port for process, port in ports.items() if process == name or process.startswith(f"{name}-")]
        job["static_configs"] = [{"targets": [f"{LOOPBACK}:{port}" for port in found]}]
    return yaml.safe_dump(document, sort_keys=False)


def address(name: str, ports: Mapping[str, int]) -> str:
    return f"http://{LOOPBACK}:{ports[name]}"
