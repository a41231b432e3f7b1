"""Our own lightcurve.csv after somebody has edited it: held to the rules of any table."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.tables.light_curves import read_curve

N = 40
HEAD = "file,jd_utc,bjd_tdb,rel_flux,rel_flux_err,flags"


def rows() -> list[list[str]]:
    flux = 1 + 0.002 * np.random.default_rng(1).normal(size=N)
    days = 2459000.6 + np.arange(N) / 700
    return [
        [f"{k}.fits", f"{day:.8f}", f"{day + 0.004:.8f}", f"{f:.6f}", "0.002", "0"]
        for k, (day, f) in enumerate(zip(days, flux, strict=True))
    ]


def read(path, table, head=HEAD):
    path.write_text("\n".join([head, *(",".join(row) for row in table)]) + "\n")
    return read_curve(path)


@pytest.mark.parametrize("fill", ["99.999", "-999", "1e30", "0", "inf"])
def test_what_stands_for_no_measurement_is_none(fill, tmp_path) -> None:
    table = rows()
    table[7][3] = fill
    curve = read(tmp_path / "lightcurve.csv", table)
    assert not curve.flags[np.arange(N) != 7].any()
    assert fill == "inf" or curve.flags[7] & int(Flag.NOT_MEASURED)
    assert not np.isfinite(curve.flux[7])


def test_an_error_of_zero_is_none(tmp_path) -> None:
    table = rows()
    table[3][4] = "0"
    assert np.flatnonzero(read(tmp_path / "lightcurve.csv", table).flags).tolist() == [3]


def test_rows_that_stand_there_again_count_once(tmp_path) -> None:
    table = [row for row in rows() for _ in range(2)]
    curve = read(tmp_path / "lightcurve.csv", table)
    assert (curve.flags[::2] == 0).all()
    assert (curve.flags[1::2] == int(Flag.NOT_MEASURED)).all()


def test_what_cannot_be_is_refused(tmp_path) -> None:
    path = tmp_path / "lightcurve.csv"
    negative = [[*row[:3], "-" * (k % 3 == 0) + row[3], *row[4:]] for k, row in enumerate(rows())]
    with pytest.raises(InputError, match="negative"):
        read(path, negative)
    with pytest.raises(InputError, match="another unit"):
        read(path, [[*row[:4], "2", row[5]] for row in rows()])
    with pytest.raises(InputError, match="two columns"):
        read(path, [[*row, "1.5"] for row in rows()], HEAD + ",rel_flux")
    with pytest.raises(InputError, match="two columns"):
        read(path, [[*row, "1.5"] for row in rows()], HEAD + ",Rel_Flux")
