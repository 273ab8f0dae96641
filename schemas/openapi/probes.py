"""The routes that monitor a process: the same for ingress and console."""

from schemas.openapi.route import Answer, Operation, Route
from schemas.wire.replies import LiveReply, ReadyReply

PROBES: tuple[Route, ...] = (
    Route(
        method="get",
        path="/livez",
        operation=Operation(
            operation_id="getLiveness",
            tag="service",
            summary="Whether the process is running",
        ),
        answers=(Answer(description="It is running.", model=LiveReply),),
        family="probe",
    ),
    Route(
        method="get",
        path="/readyz",
        operation=Operation(
            operation_id="getReadiness",
            tag="service",
            summary="Whether requests should be sent here",
        ),
        answers=(
            Answer(description="Requests can be sent here.", model=ReadyReply),
            Answer(status=503, description="Send no requests here. `missing` says why.", model=ReadyReply),
        ),
        family="probe",
    ),
    Route(
        method="get",
        path="/metrics",
        operation=Operation(
            operation_id="getMetrics",
            tag="service",
            summary="Metrics for Prometheus",
        ),
        answers=(Answer(description="Prometheus text format 0.0.4.", media_type="text/plain"),),
        family="probe",
    ),
)
