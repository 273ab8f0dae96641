"""The dashboards of deploy/grafana, as tables of panels. `python -m ops.reference` writes their JSON."""
