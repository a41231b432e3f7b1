"""All stars of many runs of one field, joined: each star's light over every frame, at one level."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.catalogs.crossmatch import crossmatch
from lightcurve.core.data import StarRole
from lightcurve.core.errors import InputError
from lightcurve.curve.aperture import take_aperture
from lightcurve.curve.detrend import column_median, column_scatter
from lightcurve.curve.ensemble import Ensemble, build_ensemble, relative_flux
from lightcurve.curve.form import baseline_of
from lightcurve.night.reduced import Night

log = logging.getLogger(__name__)
PRESENT = 0.5  # of the frames of a night, that a comparison star is good in
MIN_COMMON = 2  # comparison stars that nights must have in common
NOISY = 3.0  # scatters of stars as bright, beyond which a star is no comparison
NEIGHBOURS = 15  # stars as bright, that one is held against


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The stars of one field in the frames of some runs.

    time, jd_utc, airmass, fwhm : (n,) float arrays, BJD_TDB of the target; night : (n,) int array,
        rows of `labels`; flags : (n,) uint16 array, of the target's points.
    flux, error : (n, s) float arrays, ADU a second; good : (n, s) bool array.
    name : (s,) str array, by the first run that has the star; ra_deg, dec_deg, x, y : (s,) float
        arrays, pixels of that run; comparison, check : (s,) bool arrays, in any run.
    scale_arcsec, annulus_px : of a pixel, and the outer radius of the sky, in the first run.
    baseline : (n, k) float array, what stars drift with, of a run alone.
    The target is the first star.
    """

    time: np.ndarray
    jd_utc: np.ndarray
    airmass: np.ndarray
    fwhm: np.ndarray
    night: np.ndarray
    flags: np.ndarray
    labels: tuple[str, ...]
    filter: str
    flux: np.ndarray
    error: np.ndarray
    good: np.ndarray
    name: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    x: np.ndarray
    y: np.ndarray
    comparison: np.ndarray
    check: np.ndarray
    scale_arcsec: float
    annulus_px: float
    baseline: np.ndarray | None


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Every star against the ensemble, one of its members against the others.

    relative, error : (n, s) float arrays, over each star's median; NaN where it is not known.
    level : (s,) float array, ADU a second at the median transparency.
    members : (m,) int array, columns of the comparison stars.
    """

    relative: np.ndarray
    error: np.ndarray
    level: np.ndarray
    members: np.ndarray
    ensemble: Ensemble


def join_runs(nights: Sequence[Night], labels: Sequence[str]) -> Field:
    """Join the cubes of runs, their stars paired on the sky.

    Raises InputError where they are of other filters, or their targets are not one star.
    """
    filters = [night.scene.reference.exposure.filter or "" for night in nights]
    if len(set(filters)) > 1:
        told = ", ".join(f"{a} {b or 'unknown'}" for a, b in zip(labels, filters, strict=True))
        msg = f"runs of several filters have no level in common; give those of one: {told}"
        raise InputError(msg)
    places = _Places()
    columns = [places.take(night, label) for night, label in zip(nights, labels, strict=True)]
    pieces = [take_aperture(n.measurements, n.recipe.aperture) for n in nights]
    exposures = [np.where(e > 0, e, 1.0) for e in (n.measurements.exposure_s for n in nights)]
    count = len(places.ra)
    parts = zip(pieces, exposures, columns, strict=True)
    light = [
        [
            _spread(values, own, count)
            for values in (piece.flux / seconds[:, None], piece.flux_err / seconds[:, None],
                           np.where(piece.good, 1.0, np.nan))
        ]
        for piece, seconds, own in parts
    ]  # fmt: skip
    flux, error, good = (np.concatenate(some) for some in zip(*light, strict=True))
    m = [night.measurements for night in nights]
    return Field(
        time=np.concatenate([one.bjd_tdb for one in m]),
        jd_utc=np.concatenate([one.jd_utc for one in m]),
        airmass=np.concatenate([one.airmass for one in m]),
        fwhm=np.concatenate([one.fwhm_px for one in m]),
        night=np.repeat(np.arange(len(m)), [len(one.file) for one in m]),
        flags=np.concatenate([one.curve.flags for one in nights]),
        labels=tuple(labels),
        filter=filters[0],
        flux=flux,
        error=error,
        good=(good == 1) & (flux > 0),
        name=np.array(places.name),
        ra_deg=np.array(places.ra),
        dec_deg=np.array(places.dec),
        x=np.array(places.x),
        y=np.array(places.y),
        comparison=np.array(places.comparison),
        check=np.array(places.check),
        scale_arcsec=float(nights[0].scene.solution.scale_arcsec),
        annulus_px=float(m[0].annulus[1]),
        baseline=baseline_of(m[0]) if len(m) == 1 else None,
    )


def _spread(values: np.ndarray, columns: np.ndarray, count: int) -> np.ndarray:
    """Put the stars of a run, (n, k), where those of the field are, (n, count); else NaN."""
    whole = np.full((len(values), count), np.nan)
    whole[:, columns] = values
    return whole


class _Places:
    """The stars of a field as runs bring them."""

    def __init__(self) -> None:
        self.name: list[str] = []
        self.ra: list[float] = []
        self.dec: list[float] = []
        self.x: list[float] = []
        self.y: list[float] = []
        self.comparison: list[bool] = []
        self.check: list[bool] = []

    def take(self, night: Night, label: str) -> np.ndarray:
        """Find the columns of a run's stars, (k,), adding those that are new."""
        plan = night.stars
        row = np.full(len(plan), -1)
        target = int(np.flatnonzero(plan.role == StarRole.TARGET)[0])
        if self.ra:
            width = float(np.nanmedian(night.measurements.fwhm_px))
            # Half of a star's width: its place is surer, and another star is farther.
            reach = width * night.scene.solution.scale_arcsec / 2
            pairs = crossmatch(
                (plan.ra_deg, plan.dec_deg, reach), (np.array(self.ra), np.array(self.dec), reach),
                max_radius_arcsec=reach,
            )  # fmt: skip
            row[pairs.source[pairs.mutual]] = pairs.row[pairs.mutual]
            if row[target] not in {0, -1} or (row[target] < 0 and 0 in row):
                msg = f"{label}: its target is another star than that of the other runs"
                raise InputError(msg)
            row[target] = 0
            if not np.any(np.delete(row, target) > 0):
                msg = f"{label}: no star but the target is one of the other runs'"
                raise InputError(msg)
        order = [target, *(k for k in range(len(plan)) if k != target)]
        for k in (k for k in order if row[k] < 0):
            row[k] = len(self.ra)
            self.name.append(str(plan.star_id[k]))
            self.ra.append(float(plan.ra_deg[k]))
            self.dec.append(float(plan.dec_deg[k]))
            self.x.append(float(plan.x_ref[k]))
            self.y.append(float(plan.y_ref[k]))
            self.comparison.append(False)
            self.check.append(False)
        for k in range(len(plan)):
            self.comparison[row[k]] |= plan.role[k] == StarRole.COMPARISON
            self.check[row[k]] |= plan.role[k] == StarRole.CHECK
        self.name = [f"{n}-{k}" if n in self.name[:k] else n for k, n in enumerate(self.name)]
        return row


def compare_all(field: Field, *, without: np.ndarray | None = None) -> Compared:
    """Hold every star against the comparison stars that the nights have in common.

    without: (s,) bool array, stars that are no comparison.
    Raises InputError where nights have too few in common.
    """
    members = _common(field, np.zeros(len(field.name), bool) if without is None else without)
    for _ in range(2):
        compared = _compare(field, members)
        scatter = column_scatter(compared.relative[:, members])
        usual = usual_of(compared.level[members], scatter)
        quiet = scatter <= NOISY * usual
        if quiet.all() or quiet.sum() < MIN_COMMON:
            break
        members = members[quiet]
    return _compare(field, members)


def _common(field: Field, without: np.ndarray) -> np.ndarray:
    """Columns of the comparison stars that are good in most frames of every night.

    Of many nights a star may miss one in ten.
    """
    number = len(field.labels)
    share = np.array([field.good[field.night == k].mean(axis=0) for k in range(number)])
    there = (share >= PRESENT).sum(axis=0) >= np.ceil(0.9 * number)
    serves = field.comparison & ~without
    serves[0] = False
    members = np.flatnonzero(serves & there)
    if len(members) < MIN_COMMON:
        msg = (
            f"{len(members)} comparison stars are good in most frames of all {number} runs, "
            f"{MIN_COMMON} are needed for one level"
        )
        raise InputError(msg)
    return members


def _compare(field: Field, members: np.ndarray) -> Compared:
    flux, error, good = field.flux, field.error, field.good
    ensemble = build_ensemble(
        flux[:, members], error[:, members], good=good[:, members], baseline=field.baseline
    )
    column = np.full(flux.shape[1], -1)
    column[members] = np.arange(len(members))
    usable = np.where(good, flux, np.nan)
    relative, err = relative_flux(ensemble, usable, error, members=column)
    level = column_median(usable / ensemble.transparency[:, None])
    return Compared(relative, err, level, members, ensemble)


def usual_of(level: np.ndarray, values: np.ndarray, number: int = NEIGHBOURS) -> np.ndarray:
    """Median of values (s,) of the stars nearest in brightness, NaN left out: (s,)."""
    known = np.flatnonzero(np.isfinite(values) & (level > 0))
    order = known[np.argsort(level[known], kind="stable")]
    usual = np.full(len(level), np.nan)
    for place, row in enumerate(order):
        first = int(np.clip(place - number // 2, 0, max(0, len(order) - number)))
        usual[row] = np.median(values[order[first : first + number]])
    return usual
