"""Runs the work of a command. An error that a user can correct becomes a message and an exit status."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from ops.connect import NotReachable
from ops.errors import BadInput
from ops.output import EXIT_BAD_INPUT, EXIT_WRONG, complain
from serving.failures import outage_words


def guarded(work: Coroutine[Any, Any, int]) -> int:
    """The exit status. An exception that no user can correct is raised, with its trace: it is a bug."""
    try:
        return asyncio.run(work)
    except BadInput as error:
        complain("\n".join(error.problems))
        return EXIT_BAD_INPUT
    except NotReachable as error:
        complain(str(error))
        return EXIT_WRONG
    except Exception as error:
        if (words := outage_words(error)) is None:
            raise
        complain(words)
        return EXIT_WRONG
