"""The routes by which a process that serves HTTP is watched: the same for ingress and console."""

from schemas.openapi.route import Answer, Route
from schemas.wire.replies import LiveReply, ReadyReply

PROBES: tuple[Route, ...] = (
    Route(
        method="get",
        path="/livez",
        operation_id="getLiveness",
        is_probe=True,
        tag="service",
        summary="Whether the process runs",
        answers=(Answer(description="It does.", model=LiveReply),),
    ),
    Route(
        method="get",
        path="/readyz",
        operation_id="getReadiness",
        is_probe=True,
        tag="service",
        summary="Whether requests should be sent here",
        answers=(
            Answer(description="They should.", model=ReadyReply),
            Answer(status=503, description="They should not; `missing` says why.", model=ReadyReply),
        ),
    ),
    Route(
        method="get",
        path="/metrics",
        operation_id="getMetrics",
        is_probe=True,
        tag="service",
        summary="Metrics, as Prometheus reads them",
        answers=(Answer(description="Prometheus text format 0.0.4.", media_type="text/plain"),),
    ),
)
