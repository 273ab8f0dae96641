"""MongoDB for all processes: makes clients, logs outages, explains errors."""
