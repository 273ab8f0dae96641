"""values.schema.json of deploy/chart: which values the Helm chart accepts, with the settings as they are."""
