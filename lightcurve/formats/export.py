"""All files that can be handed in, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightcurve.errors import InputError
from lightcurve.formats.aavso import write_exoplanet
from lightcurve.formats.aavso_exotic import write_exotic
from lightcurve.formats.aavso_extended import write_extended
from lightcurve.formats.ecsv import write_ecsv
from lightcurve.formats.exofop import write_exofop
from lightcurve.formats.hops_style import write_etd, write_exoclock
from lightcurve.formats.submission import Submission

EXPORTS: dict[str, Callable[[Path, Submission], list[Path]]] = {
    "aavso-exoplanet": write_exoplanet,
    "aavso-exotic": write_exotic,
    "aavso-extended": write_extended,
    "ecsv": write_ecsv,
    "etd": write_etd,
    "exoclock": write_exoclock,
    "exofop": write_exofop,
}


def export(kind: str, folder: Path, submission: Submission) -> list[Path]:
    """Write the files of one kind.

    Parameters
    ----------
    kind : str
        A key of `EXPORTS`.
    folder : Path
        Made where it does not exist.
    submission : Submission

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        When the kind is unknown, the folder cannot be made, or a validator finds a fault.
    """
    if kind not in EXPORTS:
        msg = f'no export "{kind}"; there are {", ".join(EXPORTS)}'
        raise InputError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror}"
        raise InputError(msg) from error
    return EXPORTS[kind](folder, submission)
