"""Run `lightcurve` from a checkout: ``python cli.py run FOLDER ...``."""

from lightcurve.__main__ import main

if __name__ == "__main__":
    main()
