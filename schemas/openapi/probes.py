"""The routes that monitor a process: the same for ingress and console."""

from schemas.openapi.route import Answer, Route
from schemas.wire.replies import LiveReply, ReadyReply

PROBES: tuple[Route, ...] = (
    Route(
        method="get",
        path="/livez",
        operation_id="getLiveness",
        is_probe=True,
        tag="service",
        summary="Whether the process is running",
        answers=(Answer(description="It is running.", model=LiveReply),),
    ),
    Route(
        method="get",
        path="/readyz",
        operation_id="getReadiness",
        is_probe=True,
        tag="service",
        summary="Whether requests should be sent here",
        answers=(
            Answer(description="Requests can be sent here.", model=ReadyReply),
            Answer(status=503, description="Send no requests here. `missing` says why.", model=ReadyReply),
        ),
    ),
    Route(
        method="get",
        path="/metrics",
        operation_id="getMetrics",
        is_probe=True,
        tag="service",
        summary="Metrics for Prometheus",
        answers=(Answer(description="Prometheus text format 0.0.4.", media_type="text/plain"),),
    ),
)
