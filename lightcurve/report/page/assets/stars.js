// The stars: a table of all, and of the chosen one what it is for, why, and its own curve.

{
  const BOX = { width: 420, height: 170, left: 46, right: 8, top: 10, bottom: 24 };
  const MISSING = 255; // in a star's curve

  const starOf = (row) => app.data.stars.find((star) => star.row === row);
  const times = () => {
    const { bjd_tdb: bjd, jd_utc: utc } = app.data.frames;
    return bjd.some((t) => t !== null) ? bjd : utc;
  };

  /** Flux of a star against the ensemble, median 1: NaN where it was not measured; null if unknown. */
  const curveOf = (star) => {
    if (!star?.curve) return null;
    const { low, step, values } = star.curve;
    return Array.from(values.values, (v) => (v === MISSING ? NaN : low + step * v));
  };

  /** Limits that hold all but the wildest points, with a margin. */
  const limits = (values) => {
    const known = values.filter(Number.isFinite).sort((a, b) => a - b);
    if (!known.length) return [0, 1];
    const at = (share) => known[Math.round(share * (known.length - 1))];
    const margin = 0.12 * (at(0.99) - at(0.01)) + 1e-5;
    return [at(0.01) - margin, at(0.99) + margin];
  };

  /** Draw the curve of a star; returns a function that gives the frame nearest to a place. */
  const drawCurve = (canvas, star, marked) => {
    const flux = curveOf(star), time = times();
    const [width, height] = [canvas.clientWidth || BOX.width, BOX.height];
    const context = sky.fresh(canvas, width, height);
    const known = time.filter((t) => t !== null);
    const [first, last] = [Math.min(...known), Math.max(...known)];
    const [low, high] = limits(flux);
    const x = (t) => BOX.left + ((t - first) / (last - first || 1)) * (width - BOX.left - BOX.right);
    const y = (f) => BOX.top + ((high - f) / (high - low)) * (height - BOX.top - BOX.bottom);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colour("soft");
    context.strokeStyle = colour("grid");
    const step = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5].find(
      (s) => (high - low) / s <= 5) ?? (high - low);
    context.textAlign = "right";
    for (let f = Math.ceil(low / step) * step; f <= high; f += step) {
      context.beginPath();
      context.moveTo(BOX.left, y(f));
      context.lineTo(width - BOX.right, y(f));
      context.stroke();
      context.fillText(f.toFixed(Math.max(0, -Math.floor(Math.log10(step)))), BOX.left - 5, y(f) + 4);
    }
    const several = last - first > 1; // nights, which their dates tell apart
    const clock = (k) => app.data.frames.utc[k]?.slice(...(several ? [0, 10] : [11, 16])) ?? "";
    const ends = [time.findIndex((t) => t !== null), time.findLastIndex((t) => t !== null)];
    context.textAlign = "left";
    context.fillText(`${clock(ends[0])} UTC`, BOX.left, height - 7);
    context.textAlign = "right";
    context.fillText(clock(ends[1]), width - BOX.right, height - 7);
    const dot = (k, size) => {
      context.beginPath();
      context.arc(x(time[k]), Math.min(Math.max(y(flux[k]), 2), height - BOX.bottom), size, 0, 2 * Math.PI);
      context.fill();
    };
    context.fillStyle = colour(sky.variable(sky.roleOf(star)));
    flux.forEach((f, k) => { if (Number.isFinite(f) && time[k] !== null) dot(k, flux.length > 600 ? 1.3 : 2); });
    if (marked !== null && Number.isFinite(flux[marked])) {
      context.fillStyle = colour("accent");
      dot(marked, 5);
    }
    return (place) => {
      let [best, least] = [null, 24];
      flux.forEach((f, k) => {
        const distance = Math.abs(x(time[k]) - place);
        if (Number.isFinite(f) && distance < least) [best, least] = [k, distance];
      });
      return best;
    };
  };

  /** Scatter from point to point, which a slow trend does not swell; NaN where there is no curve. */
  const scatters = new Map();
  const scatterOf = (star) => {
    if (!scatters.has(star.row)) {
      const flux = curveOf(star)?.filter(Number.isFinite) ?? [];
      const steps = flux.slice(1).map((f, k) => Math.abs(f - flux[k])).sort((a, b) => a - b);
      scatters.set(star.row, steps.length ? (100 * steps[steps.length >> 1]) / 0.6745 / Math.SQRT2 : NaN);
    }
    return scatters.get(star.row);
  };

  /** Share of a comparison star in the ensemble at present; NaN where it has none. */
  const weightOf = (star) => {
    const { rows, weights } = app.result;
    return weights[rows.indexOf(star.row)] ?? NaN;
  };

  const words = (star) => {
    if (star.role === "target") return "This is the target.";
    if (!app.choice) return "";
    if (!star.in_cube) return "Too faint or too near to something to be tried here: its measurements are not in this page.";
    return "";
  };

  const setUpCard = () => {
    const card = byId("star");
    if (!card) return;
    let [star, marked, nearest] = [null, null, null];
    const canvas = make("canvas.curve", { role: "img" });
    const show = () => {
      const target = app.data.stars.find((s) => s.role === "target");
      const told = star ?? target;
      if (!told) return;
      const role = sky.roleOf(told);
      const change = role === "comparison" ? "Take it out of the ensemble" : "Take it into the ensemble";
      const facts = [
        ["RA, Dec", told.ra === null ? "not known" : `${shown(told.ra, 5)}° ${shown(told.dec, 5)}°`],
        ["Place", `${shown(told.x, 1)}, ${shown(told.y, 1)} px`],
        ["Scatter", Number.isFinite(scatterOf(told)) ? `${scatterOf(told).toFixed(2)} % from point to point` : "not known"],
      ];
      refill(card,
        make("h3", {}, `${told.id} `, make(`span.role.${sky.variable(role)}`, {}, role)),
        make("p.reason", { dir: "auto" }, told.reason || ""),
        make("dl.pairs", {}, ...facts.flatMap(([a, b]) => [make("dt", {}, a), make("dd", {}, b)])),
        curveOf(told) ? make("figure", {}, canvas, make("figcaption", {},
          `Flux of ${told.id} against ${told.role === "target" ? "the comparison stars" : "the others"}`,
          " as the run chose them.")) : make("p.soft", {}, "No curve of this star was kept."),
        ...(told.role === "target" || !app.choice ? [] : [make("button", {
          id: "take", type: "button", disabled: !sky.mayChange(told), onclick: () => sky.toggle(told),
        }, change)]),
        make("p.soft", {}, star ? words(told) : "A click on a star shows its curve; a double click takes it in or out."));
      canvas.setAttribute("aria-label", `Light curve of ${told.id}`);
      redraw(told);
    };
    const redraw = (told = star ?? app.data.stars.find((s) => s.role === "target")) => {
      if (told && curveOf(told)) nearest = drawCurve(canvas, told, marked);
    };
    canvas.addEventListener("pointermove", (event) => {
      const frame = nearest?.(event.clientX - canvas.getBoundingClientRect().left) ?? null;
      if (frame !== marked) app.emit("frame", frame);
    });
    canvas.addEventListener("pointerleave", () => app.emit("frame", null));
    canvas.addEventListener("click", () => { if (marked !== null) app.emit("pin", marked); });
    app.on("star", (row) => { star = starOf(row) ?? null; show(); });
    app.on("frame", (frame) => { marked = frame; redraw(); });
    for (const event of ["choice", "result", "theme"]) app.on(event, show);
    app.on("data", () => { scatters.clear(); star = star && starOf(star.row); show(); });
    new ResizeObserver(() => redraw()).observe(card);
    show();
  };

  const tick = (star) => make("input", {
    type: "checkbox", checked: sky.roleOf(star) === "comparison", disabled: !sky.mayChange(star),
    "aria-label": `${star.id} in the ensemble`, title: words(star),
    onclick: (event) => { event.stopPropagation(); event.preventDefault(); setTimeout(() => sky.toggle(star)); },
  });

  const setUpTable = () => {
    let filter = "all";
    const passes = {
      all: () => true,
      used: (star) => ["target", "comparison", "check"].includes(sky.roleOf(star)),
      comparison: (star) => sky.roleOf(star) === "comparison",
      field: (star) => sky.roleOf(star) === "field",
      changed: (star) => sky.roleOf(star) !== star.role,
    };
    const table = makeTable({
      label: "Stars",
      columns: [
        { name: "in", title: "In the ensemble", width: "2.6rem", value: (s) => (sky.roleOf(s) === "comparison" ? 0 : 1), cell: tick },
        { name: "star", width: "4.5rem", value: (s) => s.id },
        { name: "role", width: "6.5rem", value: (s) => sky.roleOf(s) },
        { name: "weight", title: "Share in the ensemble at present", width: "4.6rem", number: true, value: weightOf, cell: (s) => shown(weightOf(s), 3) },
        { name: "scatter, %", title: "From point to point", width: "6.6rem", number: true, value: scatterOf, cell: (s) => shown(scatterOf(s), 2) },
        { name: "RA, °", width: "6.2rem", number: true, value: (s) => s.ra, cell: (s) => shown(s.ra, 5) },
        { name: "Dec, °", width: "6.2rem", number: true, value: (s) => s.dec, cell: (s) => shown(s.dec, 5) },
        { name: "x, px", width: "4.6rem", number: true, value: (s) => s.x, cell: (s) => shown(s.x, 1) },
        { name: "y, px", width: "4.6rem", number: true, value: (s) => s.y, cell: (s) => shown(s.y, 1) },
        { name: "reason", width: "auto", value: (s) => s.reason },
      ],
      rows: () => app.data.stars.filter(passes[filter]).map((star) => Object.assign(star, { key: star.row })),
      onChoose: (star) => app.emit("star", star.row),
      kind: (star) => sky.variable(sky.roleOf(star)),
    });
    const roles = [["all", "all"], ["used", "target, comparison, check"], ["comparison", "comparison"], ["field", "field stars"], ["changed", "changed by you"]];
    byId("stars").append(
      make("h2", {}, "Stars"),
      make("div.tools", {}, makeSelect("Show", roles, (value) => { filter = value; table.update(); })),
      table.element);
    app.on("star", table.select);
    for (const event of ["choice", "result", "data"]) app.on(event, table.update);
    table.update();
  };

  app.part("stars", () => { setUpCard(); setUpTable(); });
}
