"""The command `lightcurve`, and `python -m lightcurve`: first of all it can be stopped."""

import signal

# Until somebody listens Ctrl-C ends the process without a word, as it does any program.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from lightcurve.commands.stop import STOP


def main() -> None:
    """Run the command line in a process of its own, whose signals it takes."""
    STOP.listen()
    from lightcurve.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
