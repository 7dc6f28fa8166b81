"""`mer` and `python -m app`."""

from __future__ import annotations

import logging
import os
import sys

import typer

from app import program
from app.mistakes import OUT_OF_MEMORY, is_out_of_memory, message_of

INTERRUPTED = 130  # what a shell expects after Ctrl+C
MISTAKE = 2
UNEXPECTED = 1

# typer has no public name for what a wrong option raises.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]

_LOG = logging.getLogger("mer")


def main() -> None:
    """The console script: `run`, and a log of it."""
    program.begin()
    from app.io.log import begin

    begin(sys.argv[1:])
    code = run()
    _LOG.info("end with exit code %s", code)
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code.

    A mistake of the user ends with one line on the error stream and code 2, Ctrl+C with 130, and our own mistakes with
    one line and code 1. The log says where an error comes from; with MER_DEBUG=1 it is not caught.
    """
    from app.cli import app

    try:
        return app(arguments, prog_name="mer", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except UsageError as error:
        return _usage(error)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNEXPECTED
    except Exception as error:
        if os.environ.get("MER_DEBUG") == "1":
            raise
        _LOG.error("this ended it", exc_info=error)
        if isinstance(error, ValueError | OSError):
            return _say(message_of(error), MISTAKE)
        if is_out_of_memory(error):
            return _say(OUT_OF_MEMORY, MISTAKE)
        words = f"{type(error).__name__}: {error} (an error of the program: mer doctor --report shows where)"
        return _say(words, UNEXPECTED)


def _usage(error: Exception) -> int:
    message = error.format_message()  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mer"
    return _say(f"{message.rstrip('.')}: see {command} --help", MISTAKE) if message else MISTAKE


def _say(message: str, code: int) -> int:
    _LOG.warning("told: %s", message)
    print("mer: " + " ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
