"""A worker with a session of two seconds, less than the settings allow: partitions of dead workers move on soon."""

import sys

from consumer import server
from consumer.config import WorkerConfig
from ops.config import Settings, worker_config
from ops.run import run_process

SESSION_SECONDS = 2.0


def quick_config(settings: Settings) -> WorkerConfig:
    config = worker_config(settings)
    worker = config.worker.model_copy(update={"session_timeout_seconds": SESSION_SECONDS})
    return config.model_copy(update={"worker": worker})


if __name__ == "__main__":
    sys.exit(run_process("worker", quick_config, server.run))
