"""What a planet file may hold: the name, unit and range of each number, and what it is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KEYS", "LIMITS"]


@dataclass(frozen=True, slots=True)
class Key:
    """A number of a planet file.

    shapes : it tells the shape of a transit, as `lightcurve.transit.shape` works it out.
    star : it stands in the table ``[star]``.
    """

    name: str
    unit: str
    low: float
    high: float
    help: str
    shapes: bool = False
    star: bool = False

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Its cells of a table."""
        name = f"star.{self.name}" if self.star else self.name
        return name, self.unit, f"{self.low:g} to {self.high:g}", self.help


def _shape(*cells: str | float) -> Key:
    name, unit, low, high, words = cells
    star = str(name) in {"density_g_cm3", "mass_sun", "radius_sun"}
    return Key(str(name), str(unit), float(low), float(high), str(words), shapes=True, star=star)


KEYS = (
    Key("period_days", "d", 0.01, 1e6, "of the orbit"),
    Key("t0_bjd_tdb", "BJD_TDB", 2.0e6, 3.0e6, "a mid-transit"),
    _shape("rp_over_rs", "R*", 1e-4, 1.0, "radius of the planet"),
    _shape("radius_earth", "Earth's", 0.01, 100, "the same, with `radius_sun`"),
    _shape("radius_jupiter", "Jupiter's", 1e-3, 10, "the same, with `radius_sun`"),
    _shape("radius_ratio_squared_percent", "%", 1e-6, 100, "(Rp/R*)^2, which some call depth"),
    _shape("depth_percent", "%", 1e-6, 100, "light lost at mid-transit, limb darkening and all"),
    _shape("a_over_rs", "R*", 1.0, 1e5, "semi-major axis"),
    _shape("semi_major_axis_au", "au", 1e-4, 1e4, "the same, with `radius_sun`"),
    _shape("inclination_deg", "deg", 0, 180, "of the orbit"),
    _shape("impact_parameter", "R*", 0, 2, "of the planet's path across the star"),
    _shape("duration_hours", "h", 0.01, 1e4, "from first to fourth contact"),
    _shape("full_duration_hours", "h", 0, 1e4, "from second to third contact"),
    _shape("eccentricity", "", 0, 0.95, "0 where it is not given"),
    _shape("omega_deg", "deg", -360, 720, "argument of the star's periastron; 90 if not given"),
    _shape("e_cos_omega", "", -0.95, 0.95, "in place of both, with `e_sin_omega`"),
    _shape("e_sin_omega", "", -0.95, 0.95, "in place of both, with `e_cos_omega`"),
    _shape("sqrt_e_cos_omega", "", -0.98, 0.98, "in place of both, with `sqrt_e_sin_omega`"),
    _shape("sqrt_e_sin_omega", "", -0.98, 0.98, "in place of both, with `sqrt_e_cos_omega`"),
    Key("dilution", "", 0.01, 1.0, "target's share of the light; a number, or a table by filter"),
    Key("contamination", "", 0.0, 99.0, "light of others over the target's; likewise"),
    Key("teff_k", "K", 1000, 60000, "effective temperature", star=True),
    Key("logg", "cm/s2", 0, 9, "gravity; with `radius_sun` also a/R*", star=True),
    Key("feh", "dex", -6, 2, "[Fe/H]", star=True),
    _shape("density_g_cm3", "g/cm3", 1e-6, 1e6, "mean density: a/R*"),
    _shape("mass_sun", "Sun's", 1e-3, 1e3, "with `radius_sun`: a/R*"),
    _shape("radius_sun", "Sun's", 1e-3, 1e4, "with others of these"),
    # Barnard's star has 1e4.
    Key(
        "pm_ra_mas_yr", "mas/yr", -2e4, 2e4, "proper motion, times cos dec; both or none", star=True
    ),
    Key("pm_dec_mas_yr", "mas/yr", -2e4, 2e4, "proper motion; both or none", star=True),
    Key("parallax_mas", "mas", 0, 1e3, "with the motion", star=True),
    Key("g_mag", "mag", -2, 25, "Gaia G: for what `tonight` expects", star=True),
    Key("epoch_year", "", 1800, 2200, "of `ra` and `dec`; 2000 if not given", star=True),
)
LIMITS = {key.name: (key.low, key.high) for key in KEYS}
SHAPE_KEYS = tuple(key.name for key in KEYS if key.shapes)


def keys_in_markdown() -> str:
    """Lay the keys out as the rows of a table, for the manual."""
    return "\n".join(
        f"| `{name}` | {' | '.join(cells)} |" for name, *cells in (k.row for k in KEYS)
    )
