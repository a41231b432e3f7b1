"""What can be had as a table: one method to write, the others follow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lightcurve.core.registry import registry_of

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import Table
    from pandas import DataFrame

__all__ = ["Tabular"]


class Tabular(ABC):
    """Something with a table of its own."""

    __slots__ = ()

    @abstractmethod
    def to_table(self) -> Table:
        """Lay it out as an astropy table whose columns carry unit and description."""

    def to_pandas(self) -> DataFrame:
        """Lay it out as a data frame; units are those of `to_table`."""
        return self.to_table().to_pandas()


def laid_out(layout: str, values: Mapping[str, np.ndarray]) -> Table:
    """Lay (n,) arrays out as the table of ours that has this name, with its units."""
    table: Table = registry_of("table").get(layout).lay_out(values)
    return table
