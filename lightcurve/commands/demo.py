"""`lightcurve demo`: a simulated night, reduced."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lightcurve.commands.live import LINE
from lightcurve.commands.options import Json, a_folder
from lightcurve.commands.shell import bar, print_json, print_products, print_table, records


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", callback=a_folder, help="Folder for night and run.")
    ] = Path("demo-night"),
    *,
    seed: Annotated[int, typer.Option("--seed", help="Of the night and of the fit.", min=0)] = 1,
    json: Json = False,
) -> None:
    """Simulate a small night with a transit, reduce it, and show truth beside result."""
    from lightcurve.core.processes import LOADED, warm_to_draw

    warm_to_draw("lightcurve.simulate.night", *LOADED, "lightcurve.night.drawing")
    with LINE.show("starting"):  # imports take a while
        from lightcurve.night.demo import run_demo

    products, comparisons = run_demo(out, seed=seed, progress=bar)
    if json:
        compared = [asdict(comparison) for comparison in comparisons]
        print_json({"summary": records(products.summary), "comparison": compared})
        return
    rows = (
        (c.name, f"{c.truth:.6f}", f"{c.result:.6f}", f"{c.error:.6f}",
         f"{(c.result - c.truth) / c.error:+.1f}")
        for c in comparisons
    )  # fmt: skip
    print_table("Truth beside result", ["", "truth", "result", "error", "in errors"], rows)
    print_products("Result", products)
