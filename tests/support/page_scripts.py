"""The page's own scripts that need no document, run by V8."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from dataclasses import asdict

import numpy as np
import pytest

from lightcurve.report.page.bundle import ENGINE, HERE

NUMBERS = (
    "mid_time_err", "rp_over_rs", "rp_over_rs_err", "depth", "scatter", "chi2", "bic", "n_points",
)  # fmt: skip
ARRAYS = ("flux", "flux_err")
OF_FIT = ("trend", "detrended", "model")
# numpy's NaN travels as null.
HARNESS = """
const given = (value) => {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value.block)) {
    const values = value.block.map((v) => (v === null ? NaN : v));
    return { shape: value.shape, values: new ARRAYS[value.dtype](values) };
  }
  if (Array.isArray(value)) return value.map(given);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, given(entry)]));
};
const told = (value) => JSON.stringify(value, (_, entry) => (
  ArrayBuffer.isView(entry) ? Array.from(entry)
    : typeof entry === "number" && !Number.isFinite(entry) ? null : entry));
"""


class Scripts:
    """V8 with the engine loaded, to be closed; `run` gives what an expression comes to."""

    def __init__(self) -> None:
        from py_mini_racer import MiniRacer

        self._v8 = MiniRacer()
        self.close = self._v8.close  # or the interpreter waits for it at its end
        code = [(HERE / "assets" / f"{name}.js").read_text() for name in ("state", *ENGINE)]
        self._v8.eval('"use strict";\n' + "\n".join([*code, HARNESS]))

    def keep(self, name: str, value: object) -> None:
        """Give a value a name there; blocks come as `unpack` leaves them."""
        self._v8.eval(f"globalThis.{name} = given({json.dumps(unpacked(value))});")

    def run(self, expression: str):
        """Evaluate: arrays become lists, NaN None."""
        return json.loads(self._v8.eval(f"told({expression})"))


def unpacked(value):
    """Unpack blocks of `lightcurve.report.page.contents.block`, values in a flat list."""
    if isinstance(value, dict) and "gzip" in value:
        kind = np.dtype(value["dtype"])
        content = gzip.decompress(base64.b64decode(value["gzip"]))
        if value["planes"]:
            content = np.frombuffer(content, "u1").reshape(kind.itemsize, -1).T.tobytes()
        values = np.frombuffer(content, kind)
        flat = [None if math.isnan(v) else v for v in values.tolist()]
        return {"block": flat, "shape": value["shape"], "dtype": value["dtype"]}
    if isinstance(value, dict):
        return {key: unpacked(entry) for key, entry in value.items()}
    return [unpacked(entry) for entry in value] if isinstance(value, list) else value


def array(values) -> np.ndarray:
    """Floats of a list with None for NaN."""
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def data_of(path):
    """The data of a page on disk, as they are packed there."""
    block = re.search(r'<script[^>]*id="night"[^>]*>(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(block[1])


def recomputed(scripts, choice):
    """What the page makes of a choice; the data were kept before."""
    words = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(choice).items()}
    scripts.keep("choice", words)
    return scripts.run("app.engine.recompute(data, choice)")


def assert_same(result, curve, fit, rtol=1e-6, *, of_weights=1e-4):
    """Hold a result against curve and quick fit; weights follow from where iterations end."""
    for name in ARRAYS:
        np.testing.assert_allclose(array(result[name]), getattr(curve, name), rtol=rtol)
    for name in OF_FIT:
        np.testing.assert_allclose(array(result[name]), getattr(fit, name), rtol=rtol)
    np.testing.assert_allclose(array(result["residual"]), fit.residual, atol=rtol)
    assert result["flags"] == curve.flags.tolist()
    assert result["used"] == fit.used.astype(int).tolist()
    recipe = curve.need_recipe()
    assert result["rows"] == list(recipe.comparison_rows)
    np.testing.assert_allclose(array(result["weights"]), recipe.weights, rtol=of_weights)
    np.testing.assert_allclose(array(result["star_scatter"]), recipe.star_scatter, rtol=of_weights)
    assert result["covariates"] == list(fit.covariates)
    for name in NUMBERS:
        expected = getattr(fit, name)
        if expected is None:
            assert result[name] is None, name
        else:
            assert result[name] == pytest.approx(expected, rel=rtol), name
    if fit.mid_time is None:
        assert result["mid_time"] is result["fine"] is None
    else:
        assert result["mid_time"] == pytest.approx(fit.mid_time, abs=1e-6, rel=0)
        np.testing.assert_allclose(result["fine"]["flux"], fit.fine_flux, atol=rtol)
        np.testing.assert_allclose(result["fine"]["time"], fit.fine_time, rtol=0, atol=1e-6)
