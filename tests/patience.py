"""How long a test waits for what must come."""

# Waiting costs nothing where it comes; where it does not, the test fails after this. So it is long: no test may depend
# on how quick a machine is. (The time limit of a whole test is `timeout` in pyproject.toml.)
PATIENCE_SECONDS = 120.0
