"""`python -m ops`: the `tallymill` command, for children that must run the very interpreter of their parent."""

from ops.cli import main

if __name__ == "__main__":
    main()
