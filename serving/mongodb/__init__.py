"""MongoDB for all processes: how clients are made, outages in the log, and errors in plain words."""
