"""`python -m lightcurve` is the command `lightcurve`."""

from lightcurve.cli import main

if __name__ == "__main__":
    main()
