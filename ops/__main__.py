"""The `tallymill` command, also as `python -m ops`: for children that must run the very interpreter of their parent.

`probe` runs every few seconds in each container. It is called before the other commands are imported, which takes three
times as long as its own work.
"""

import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it without a trace, also while it still imports."""
    try:
        run()
    except KeyboardInterrupt:
        from ops.output import EXIT_KILLED  # imported sooner, it could itself be interrupted

        sys.exit(EXIT_KILLED)


def run() -> None:
    if sys.argv[1:2] == ["probe"]:
        from ops.probe import ask

        if options := ask.options_of(sys.argv[2:]):
            sys.exit(ask.probe(*options))
    from ops.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
