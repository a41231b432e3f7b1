"""Ask the catalogues about a frame: those given by hand, and the services."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from lightcurve.catalogs.query import SERVICES, query
from lightcurve.catalogs.service import Field, Role, ServiceReport
from lightcurve.config import Settings
from lightcurve.errors import InputError
from lightcurve.image_stages.data import Known
from lightcurve.image_stages.standards import catalogs_for

log = logging.getLogger(__name__)

STANDARDS = "standards"  # among the services to ask: those that have the band


def ask(field: Field, band: str, settings: Settings) -> Known:
    """Read the catalogues given by hand and ask the services.

    band: for which standards are wanted.
    Raises InputError when a catalogue file cannot be read or a service is not known.
    """
    files = tuple(f"file{n or ''}" for n in (0, *range(2, len(settings.catalogs.files) + 1)))
    by_hand = files if settings.catalogs.files else ()
    names = services_for(band, field.dec_deg, settings, given=bool(by_hand))
    catalogs, reports = query(names, field, settings.catalogs)
    _tell(reports)
    return Known(catalogs, tuple(reports), tuple(name for name in by_hand if name in catalogs))


def _tell(reports: Sequence[ServiceReport]) -> None:
    """Log what each service gave; those skipped for the same reason in one line."""
    skipped: dict[str, list[str]] = {}
    for report in reports:
        if report.status == "skipped":
            skipped.setdefault(report.reason, []).append(report.title)
            continue
        log.info("%s: %s, %d rows%s", report.title, report.status, report.n,
                 f" ({report.reason})" if report.reason else "")  # fmt: skip
    for reason, titles in skipped.items():
        log.info("not asked (%s): %s", reason, ", ".join(titles))


def services_for(band: str, dec_deg: float, settings: Settings, *, given: bool) -> Sequence[str]:
    """Choose the services to ask.

    given: a catalogue was given by hand: no other is asked for standards unless it is named.
    Raises InputError when the catalogue of standards named in the settings is none that has
    magnitudes.
    """
    image = settings.image
    with_bands = [service.name for service in SERVICES if service.bands]
    if image.standards is not None and image.standards not in with_bands:
        msg = f"--standards {image.standards!r}: with magnitudes there are {', '.join(with_bands)}"
        raise InputError(msg)
    wanted = () if given and image.standards is None else catalogs_for(band, dec_deg, image)[:2]
    if image.services is None:
        always = (s.name for s in SERVICES if s.always or s.role is not Role.STARS)
        return tuple(dict.fromkeys((*wanted, *always)))
    named = () if image.standards is None else (image.standards,)
    asked = ((name,) if name != STANDARDS else wanted for name in image.services)
    return tuple(dict.fromkeys((*(name for names in asked for name in names), *named)))
