"""Run `lightcurve` from a checkout: ``python cli.py run FOLDER ...``."""

from lightcurve.cli import main

if __name__ == "__main__":
    main()
