// The light curve and what else is known of each frame, on one axis of time.

const charts = (() => {
  const MIN_POINTS_SHOWN = 8; // of fewer values none is called lone
  const EDGE_PX = 7; // from the edge stand the marks of points beyond it
  const NEAR_PX = 24; // so far from a point the pointer may be
  const HEIGHT = { curve: 366, residual: 148, panel: 102, axis: 38 };
  const LEFT = 62, RIGHT = 8, CAPTION = 20, BELOW = 8; // borders, pixels: the same for all panels
  const OPEN_AT_FIRST = 4; // panels of diagnostics; a phone has room for two

  let models, documentOf, xRange, time, day;
  const panels = []; // {name, plot, fields, caption, ...}, from the top
  const sources = {};
  const marked = { frame: null, pin: null };
  const layers = { raw: false, detrended: true, bins: true, model: true, errors: true };
  let binMinutes = 10;

  /** Column of a source that holds a column of the frames: some are called x, as the time is. */
  const keyOf = (name) => `of ${name}`;
  const finite = (values) => values.filter((v) => v !== null && Number.isFinite(v));
  const NaNs = (values) => Array.from(values, (v) => (v === null || v === undefined ? NaN : v));

  /**
   * Limits of an axis that a few wild values do not stretch; as `robust_limits` of the figures.
   * @param {number[]} values
   * @param {number} share of the values that may fall outside at each end
   */
  const robustLimits = (values, share = 0.005) => {
    let known = finite(values).sort((a, b) => a - b);
    if (!known.length) return [0, 1];
    if (share > 0) known = withoutLone(known);
    const at = (q) => {
      const place = q * (known.length - 1), k = Math.floor(place);
      return known[k] + (place - k) * ((known[k + 1] ?? known[k]) - known[k]);
    };
    const [low, high] = [at(share), at(1 - share)];
    const pad = 0.12 * (high - low) || Math.abs(low) * 0.01 || 1;
    return [low - pad, high + pad];
  };

  /** Median of what is known; 0 of nothing. */
  const medianOf = (values) => {
    const known = finite(values).sort((a, b) => a - b);
    return known[known.length >> 1] ?? 0;
  };

  /** Leave out the ends of sorted values that are farther off than all others reach. */
  const withoutLone = (sorted) => {
    let v = sorted;
    if (v.length >= MIN_POINTS_SHOWN && v.at(-1) - v.at(-2) > v.at(-2) - v[0]) v = v.slice(0, -1);
    if (v.length >= MIN_POINTS_SHOWN && v[1] - v[0] > v.at(-1) - v[1]) v = v.slice(1);
    return v;
  };

  /** Means in bins of `width` days: {x, y, low, high}, errors from the scatter within. */
  const bin = (x, y, use, width) => {
    const cells = new Map();
    x.forEach((t, k) => {
      if (!use[k] || !Number.isFinite(t) || !Number.isFinite(y[k])) return;
      const cell = Math.floor((t - x[0]) / width);
      if (!cells.has(cell)) cells.set(cell, []);
      cells.get(cell).push(k);
    });
    const out = { x: [], y: [], low: [], high: [] };
    for (const members of [...cells.values()].filter((m) => m.length > 1)) {
      const n = members.length;
      const mean = (of) => members.reduce((sum, k) => sum + of[k], 0) / n;
      const level = mean(y);
      const square = members.reduce((sum, k) => sum + (y[k] - level) ** 2, 0);
      const error = Math.sqrt(square / (n - 1) / n);
      out.x.push(mean(x)); out.y.push(level);
      out.low.push(level - error); out.high.push(level + error);
    }
    return out;
  };

  // --- models ------------------------------------------------------------------------------------

  const source = (data) => new models.ColumnDataSource({ data });

  const addGlyph = (plot, glyph, data_source, more = {}) => {
    const renderer = new models.GlyphRenderer({ glyph, data_source, ...more });
    plot.renderers = [...plot.renderers, renderer];
    return renderer;
  };

  const makePlot = (height, inverted = false) => {
    const y_range = new models.Range1d({ start: 0, end: 1 });
    const plot = new models.Plot({
      x_range: xRange, y_range, height, sizing_mode: "stretch_width", toolbar_location: null,
      x_scale: new models.LinearScale(), y_scale: new models.LinearScale(),
      min_border_left: LEFT, min_border_right: RIGHT, min_border_top: CAPTION, min_border_bottom: BELOW,
      background_fill_color: null, border_fill_color: null, outline_line_color: null, lod_threshold: null,
    });
    const x = new models.LinearAxis({
      ticker: new models.BasicTicker({ desired_num_ticks: 7 }), major_label_policy: new models.NoOverlap({ min_distance: 8 }),
    });
    const y = new models.LinearAxis({ ticker: new models.BasicTicker({ desired_num_ticks: height > 200 ? 6 : 3 }) });
    const grids = [
      new models.Grid({ dimension: 0, ticker: x.ticker }), new models.Grid({ dimension: 1, ticker: y.ticker }),
    ];
    plot.below = [x];
    plot.left = [y];
    plot.center = grids;
    const tools = {
      pan: new models.PanTool({ dimensions: "both" }),
      box: new models.BoxZoomTool({ dimensions: height > 200 ? "both" : "width" }),
      wheel: new models.WheelZoomTool({ dimensions: "width", modifiers: { ctrl: true } }),
    };
    plot.toolbar = new models.Toolbar({ tools: Object.values(tools), logo: null, autohide: false });
    return { plot, x, y, grids, tools, inverted };
  };

  /** Lines and rings that follow the pointer; painted over the rest, which stays as it is. */
  const addMarks = (panel, fields) => {
    const line = new models.Span({ dimension: "height", location: NaN, level: "overlay", line_width: 1 });
    panel.plot.center = [...panel.plot.center, line];
    panel.line = line;
    panel.rings = fields.map((y) => addGlyph(panel.plot,
      new models.Scatter({ x: { field: "x" }, y: { field: y }, size: 9, fill_color: null, line_width: 2 }),
      sources.mark, { level: "overlay" }));
    panel.pins = fields.map((y) => addGlyph(panel.plot,
      new models.Scatter({ x: { field: "x" }, y: { field: y }, size: 12, fill_color: null, line_width: 2 }),
      sources.pin, { level: "overlay" }));
  };

  /** Triangles at the edges of a panel, over and under which there are points. */
  const addBeyond = (panel) => {
    panel.beyond = source({ x: [], y: [], marker: [] });
    panel.arrows = addGlyph(panel.plot, new models.Scatter({
      x: { field: "x" }, y: { field: "y" }, marker: { field: "marker" }, size: 7, line_color: null }), panel.beyond, { level: "overlay" });
    panel.plot.y_range.change.connect(() => showBeyond(panel));
  };

  /** Fields of a panel that are seen at present. */
  const seenFields = (panel) => (panel.name === "curve" ? panel.fields.filter((field) => layers[field]) : panel.fields);
  const sourceOf = (panel) => (panel.diagnostic ? sources.columns : sources.frames);

  const showBeyond = (panel) => {
    const { start, end } = panel.plot.y_range, reach = end - start, edge = EDGE_PX * reach / panel.height;
    const out = { x: [], y: [], marker: [] };
    for (const values of seenFields(panel).map((field) => sourceOf(panel).data[field] ?? [])) {
      values.forEach((value, k) => {
        const share = (value - start) / reach; // of the height; some axes point down
        if (!(share < 0 || share > 1)) return;
        out.x.push(time.x[k]);
        out.y.push(share < 0 ? start + edge : end - edge);
        out.marker.push(share < 0 ? "inverted_triangle" : "triangle");
      });
    }
    if (out.x.length || panel.beyond.data.x.length) panel.beyond.data = out;
  };

  const dots = (plot, x, y, size, from = sources.frames) => addGlyph(plot, new models.Scatter({
    x: { field: x }, y: { field: y }, size, line_width: 1.2,
    fill_color: { field: "fill" }, line_color: { field: "line" },
  }), from);

  const whiskers = (plot, x, low, high, from, width = 1) => addGlyph(plot, new models.Segment({
    x0: { field: x }, x1: { field: x }, y0: { field: low }, y1: { field: high }, line_width: width,
  }), from);

  const addCurve = () => {
    const panel = { ...makePlot(HEIGHT.curve), name: "curve", label: "Relative flux", fields: ["raw", "detrended"] };
    const { plot } = panel;
    panel.layers = {
      rawErrors: whiskers(plot, "x", "raw_low", "raw_high", sources.frames),
      errors: whiskers(plot, "x", "low", "high", sources.frames),
      rawModel: addGlyph(plot, new models.Line({ x: { field: "x" }, y: { field: "y" }, line_width: 1.4 }), sources.rawModel),
      raw: dots(plot, "x", "raw", 5.5),
      detrended: dots(plot, "x", "detrended", 5.5),
      model: addGlyph(plot, new models.Line({ x: { field: "x" }, y: { field: "y" }, line_width: 2 }), sources.fine),
      binErrors: whiskers(plot, "x", "low", "high", sources.bins, 1.4),
      bins: addGlyph(plot, new models.Scatter({
        x: { field: "x" }, y: { field: "y" }, size: 7.5, marker: "square", line_width: 1.4 }), sources.bins),
    };
    panel.events = Object.values(app.data.curve.predicted).map((when) => {
      const line = new models.Span({ dimension: "height", location: when - day, line_dash: [4, 4], line_width: 1 });
      plot.center = [...plot.center, line];
      return line;
    });
    panels.push(panel);
  };

  const addResiduals = () => {
    const panel = { ...makePlot(HEIGHT.residual), name: "residual", label: "Residuals (%)", fields: ["residual"] };
    panel.zero = new models.Span({ dimension: "width", location: 0, line_width: 1.4 });
    panel.plot.center = [...panel.plot.center, panel.zero];
    panel.dots = dots(panel.plot, "x", "residual", 4.5);
    panel.binErrors = whiskers(panel.plot, "x", "low", "high", sources.residualBins, 1.4);
    panel.bins = addGlyph(panel.plot, new models.Scatter({
      x: { field: "x" }, y: { field: "y" }, size: 6.5, marker: "square", line_width: 1.4 }), sources.residualBins);
    panels.push(panel);
  };

  /** One panel for each label among the columns that are drawn. */
  const addDiagnostics = () => {
    const byLabel = Map.groupBy(
      Object.entries(app.data.frames.columns).filter(([, column]) => column.panel), ([, c]) => c.label);
    for (const [label, columns] of byLabel) {
      const panel = {
        ...makePlot(HEIGHT.panel, columns[0][1].inverted), name: label, label, diagnostic: true,
        fields: columns.map(([name]) => keyOf(name)), legends: columns.map(([, c]) => c.legend),
      };
      panel.series = panel.fields.map((field) => addGlyph(panel.plot,
        new models.Scatter({ x: { field: "x" }, y: { field }, size: 4, line_color: null }), sources.columns));
      fitPanel(panel);
      panels.push(panel);
    }
  };

  const setRange = (panel, [start, end]) => {
    panel.limits = [start, end];
    panel.plot.y_range.setv({ start, end });
    if (panel.beyond) showBeyond(panel); // also where the limits stay and points move
  };

  // --- the page around them ----------------------------------------------------------------------

  const inputs = {}; // tick boxes of the layers

  const tick = (text, checked, change) => {
    const input = make("input", { type: "checkbox", checked, onchange: () => change(input.checked) });
    return { input, label: make("label.tick", {}, input, text) };
  };

  const toolbar = () => {
    const names = { detrended: "detrended", raw: "raw", model: "model", errors: "errors", bins: "bins of" };
    const ticks = Object.entries(names).map(([name, text]) => {
      const { input, label } = tick(text, layers[name], (on) => { layers[name] = on; showLayers(); fitRange(); });
      inputs[name] = input;
      return label;
    });
    const width = make("select", { "aria-label": "width of the bins", onchange: () => { binMinutes = Number(width.value); drawBins(); } },
      ...[2, 5, 10, 15, 30].map((m) => make("option", { value: m, selected: m === binMinutes }, `${m} min`)));
    const modes = { look: "Look", pan: "Pan", box: "Zoom" };
    const buttons = Object.entries(modes).map(([mode, text]) =>
      make("button", { type: "button", "data-mode": mode, onclick: () => setMode(mode) }, text));
    return make("div.toolbar", {},
      make("div.ticks", {}, ...ticks, width),
      make("div.modes", {}, make("span.segments", { role: "group", "aria-label": "what a drag does" }, ...buttons),
        make("button", { type: "button", onclick: whole, title: "double click does the same" }, "Whole night")));
  };

  const setMode = (mode) => {
    for (const panel of panels) {
      panel.tools.pan.active = mode === "pan";
      panel.tools.box.active = mode === "box";
    }
    for (const button of document.querySelectorAll("#charts [data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    byId("charts").dataset.drag = mode;
  };

  const choosePanels = () => {
    const phone = window.matchMedia("(max-width: 48rem)").matches;
    const ticks = panels.filter((p) => p.diagnostic).map((panel, k) => {
      panel.open = k < (phone ? 2 : OPEN_AT_FIRST);
      return tick(panel.label.replace(/ \(.*/, ""), panel.open, (on) => { panel.open = on; showPanels(); }).label;
    });
    return make("div.ticks.panels", {}, ...ticks);
  };

  /** Only the lowest panel that is shown has numbers on its axis of time. */
  const showPanels = () => {
    const open = panels.filter((p) => p.open !== false);
    for (const panel of panels) {
      panel.box.hidden = panel.open === false;
      const last = panel === open.at(-1);
      panel.x.setv({ major_label_text_font_size: last ? "12px" : "0px", major_tick_out: last ? 4 : 0, minor_tick_out: 0,
        axis_label: last ? axisLabel() : null });
      panel.plot.height = panel.height + (last ? HEIGHT.axis : 0);
    }
  };

  const axisLabel = () => `${time.scale} \u2212 ${day} (days)`;

  const build = () => {
    const holder = byId("charts");
    holder.replaceChildren(toolbar());
    for (const panel of panels) {
      panel.height = panel.plot.height;
      panel.readout = make("output");
      panel.caption = make("div.caption", {}, make("span", {}, panel.label), panel.readout);
      panel.target = make("div.plot");
      panel.box = make("div.panel", { "data-panel": panel.name }, panel.caption, panel.target);
      holder.append(panel.box);
    }
    holder.append(choosePanels());
    if (panels.some((p) => p.diagnostic)) holder.querySelector(".panels").prepend(make("span.soft", {}, "Panels"));
  };

  // --- data --------------------------------------------------------------------------------------

  /** Times of the frames in days since `day`: barycentric, or where there are none of the clock. */
  const readTime = ({ frames }) => {
    const barycentric = finite(frames.bjd_tdb).length > 0;
    const moments = NaNs(barycentric ? frames.bjd_tdb : frames.jd_utc);
    const known = finite(moments);
    day = known.length ? Math.floor(known.reduce((a, b) => Math.min(a, b))) : 0;
    time = { scale: barycentric ? "BJD (TDB)" : "JD (UTC)", x: moments.map((t) => t - day) };
  };

  const frameColours = (result) => {
    const excluded = new Set(app.choice?.excluded ?? []);
    const strong = colour("target"), weak = colour("other"), none = "rgba(0,0,0,0)";
    const used = app.data.frames.file.map((file, k) => Boolean(result.used?.[k] ?? true) && !excluded.has(file));
    return { fill: used.map((u) => (u ? strong : none)), line: used.map((u) => (u ? none : weak)), used };
  };

  /** Draw a result: points, trend, model, residuals. */
  const draw = (result) => {
    const raw = NaNs(result.flux), error = NaNs(result.flux_err);
    const detrended = result.detrended ? NaNs(result.detrended) : raw;
    const share = detrended.map((v, k) => v / raw[k]);
    const { fill, line, used } = frameColours(result);
    offerLayers(result);
    drawn = { raw, detrended, error, used, residual: NaNs(result.residual ?? []).map((v) => 100 * v) };
    sources.frames.data = {
      x: time.x, raw, detrended, fill, line,
      residual: drawn.residual.length ? drawn.residual : time.x.map(() => NaN),
      raw_low: raw.map((v, k) => v - error[k]), raw_high: raw.map((v, k) => v + error[k]),
      low: detrended.map((v, k) => v - error[k] * share[k]), high: detrended.map((v, k) => v + error[k] * share[k]),
    };
    sources.fine.data = result.fine
      ? { x: NaNs(result.fine.time).map((t) => t - day), y: NaNs(result.fine.flux) } : { x: [], y: [] };
    const [model, trend] = [result.model, result.trend];
    sources.rawModel.data = model && trend
      ? { x: time.x, y: NaNs(model).map((v, k) => v * trend[k]) } : { x: [], y: [] };
    showResiduals(drawn.residual.length > 0);
    drawBins();
    fitRange();
    mark(marked.frame);
  };
  let drawn = null;

  /** What a result lacks cannot be shown; what it is the first to have is. */
  const offerLayers = ({ detrended, model }) => {
    const first = detrended && inputs.detrended.disabled;
    inputs.detrended.disabled = !detrended;
    inputs.model.disabled = !model;
    if (!first && detrended) return;
    Object.assign(layers, { detrended: Boolean(detrended), raw: !detrended });
    for (const name of ["detrended", "raw"]) inputs[name].checked = layers[name];
    if (drawn) showLayers();
  };

  /** A curve to which nothing was fitted has no residuals, and no panel for them. */
  const showResiduals = (there) => {
    const panel = panels.find(({ name }) => name === "residual");
    if (!panel || panel.open === there) return;
    panel.open = there;
    showPanels();
  };

  const drawBins = () => {
    const width = binMinutes / 1440;
    const none = { x: [], y: [], low: [], high: [] };
    sources.bins.data = bin(time.x, layers.detrended ? drawn.detrended : drawn.raw, drawn.used, width);
    sources.residualBins.data = drawn.residual.length ? bin(time.x, drawn.residual, drawn.used, width) : none;
  };

  const fitRange = () => {
    const [curve, residual] = panels;
    const good = (values) => values.filter((_, k) => drawn.used[k]);
    const seen = [...(layers.detrended ? good(drawn.detrended) : []), ...(layers.raw ? good(drawn.raw) : [])];
    const error = layers.errors ? medianOf(good(drawn.error)) : 0;
    const [low, high] = robustLimits(seen); // of points alone: with its error none is a lone value
    setRange(curve, [low - error, high + error]);
    if (residual.name === "residual") setRange(residual, robustLimits(good(drawn.residual)));
  };

  const showLayers = () => {
    const parts = panels[0].layers;
    parts.raw.visible = layers.raw;
    const faint = layers.detrended ? 0.45 : 1;
    parts.raw.glyph.setv({ fill_alpha: faint, line_alpha: faint });
    parts.rawErrors.visible = layers.raw && layers.errors;
    parts.rawModel.visible = layers.raw && layers.model;
    parts.detrended.visible = layers.detrended;
    parts.errors.visible = layers.detrended && layers.errors;
    parts.model.visible = layers.model && layers.detrended;
    parts.bins.visible = layers.bins;
    parts.binErrors.visible = layers.bins;
    drawBins();
  };

  // --- pointer -----------------------------------------------------------------------------------

  const night = () => {
    const known = finite(time.x);
    const [low, high] = known.length ? [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))] : [0, 1];
    const pad = 0.02 * (high - low) || 0.01;
    return { start: low - pad, end: high + pad };
  };

  const isWhole = () => {
    const { start, end } = night();
    return xRange.start === start && xRange.end === end;
  };

  const whole = () => {
    xRange.setv(night());
    for (const panel of panels) if (panel.limits) setRange(panel, panel.limits);
  };

  /** The frame whose point is nearest to a place of a panel, or null; by distance on the screen. */
  const nearest = (panel, { x, y }) => {
    const { plot } = panel;
    const px = plot.inner_width / (xRange.end - xRange.start);
    const py = plot.inner_height / Math.abs(plot.y_range.end - plot.y_range.start);
    const from = sourceOf(panel), fields = seenFields(panel);
    let best = null, least = Infinity;
    time.x.forEach((t, k) => {
      const dx = Math.abs(t - x) * px;
      if (!(dx < Math.min(least, NEAR_PX))) return;
      for (const field of fields) {
        const dy = Math.abs(from.data[field][k] - y) * py;
        // Along time counts for more: one follows the night and need not hit the point.
        const distance = Number.isFinite(dy) ? Math.hypot(dx, 0.3 * dy) : dx + NEAR_PX;
        if (distance < least) [best, least] = [k, distance];
      }
    });
    return best;
  };

  const single = (k) => {
    if (k === null) return emptyMark();
    const columns = Object.fromEntries(Object.entries(sources.columns.data).map(([name, v]) => [name, [v[k]]]));
    const { raw, detrended, residual } = sources.frames.data;
    return { ...columns, raw: [layers.raw ? raw[k] : NaN], detrended: [layers.detrended ? detrended[k] : NaN], residual: [residual[k]] };
  };

  const emptyMark = () => Object.fromEntries(
    [...Object.keys(sources.columns.data), "raw", "detrended", "residual"].map((name) => [name, []]));

  const mark = (k) => {
    marked.frame = k;
    sources.mark.data = single(k);
    for (const panel of panels) {
      panel.line.location = k === null ? NaN : time.x[k];
      panel.readout.textContent = k === null ? "" : readout(panel, k);
    }
  };

  const pin = (k) => {
    marked.pin = k;
    sources.pin.data = single(k);
  };

  const readout = (panel, k) => {
    if (panel.name === "curve") return shown((layers.detrended ? drawn.detrended : drawn.raw)[k], 5);
    if (panel.name === "residual") return `${shown(drawn.residual[k], 3)} %`;
    return panel.fields.map((field, j) => {
      const value = sources.columns.data[field][k];
      const text = Number.isFinite(value) ? String(Number(value.toPrecision(5))) : "\u2013";
      return panel.legends[j] ? `${panel.legends[j]} ${text}` : text;
    }).join("   ");
  };

  /** Go from frame to frame in order of time. */
  const step = (by) => {
    const n = time.x.length, from = marked.frame ?? marked.pin ?? (by > 0 ? -1 : n);
    app.emit("frame", Math.min(n - 1, Math.max(0, from + by)));
  };

  const listen = () => {
    for (const panel of panels) {
      panel.plot.on_event("mousemove", (event) => {
        const k = nearest(panel, event);
        if (k !== marked.frame) app.emit("frame", k);
      });
      panel.plot.on_event("tap", (event) => app.emit("pin", nearest(panel, event)));
      panel.plot.on_event("doubletap", whole);
    }
    byId("charts").addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") app.emit("frame", null);
    });
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea, summary") || event.ctrlKey || event.metaKey || event.altKey) return;
      const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), Escape: () => app.emit("pin", null),
        Enter: () => { if (!event.target.closest("button, a") && marked.frame !== null) app.emit("pin", marked.frame); } };
      if (!(event.key in keys)) return;
      keys[event.key]();
      if (event.key !== "Enter") event.preventDefault();
    });
  };

  // --- look --------------------------------------------------------------------------------------

  const paint = () => {
    const c = Object.fromEntries(["ink", "soft", "line", "grid", "paper", "target", "comparison", "check", "model", "other"].map(
      (name) => [name, colour(name)]));
    for (const panel of panels) {
      for (const axis of [panel.x, panel.y]) {
        axis.setv({ axis_line_color: c.line, major_tick_line_color: c.line, minor_tick_line_color: null,
          major_label_text_color: c.soft, axis_label_text_color: c.soft, axis_label_text_font_style: "normal",
          axis_label_text_font_size: "12px", axis_label_text_font: "system-ui", major_label_text_font: "system-ui" });
      }
      panel.y.major_label_text_font_size = "11px";
      for (const grid of panel.grids) grid.grid_line_color = c.grid;
      panel.line.line_color = c.soft;
      panel.arrows.glyph.fill_color = c.check;
      for (const ring of panel.rings) ring.glyph.line_color = c.model;
      for (const ring of panel.pins) ring.glyph.line_color = c.ink;
      (panel.series ?? []).forEach((r, k) => { r.glyph.fill_color = [c.target, c.model, c.comparison][k % 3]; });
      for (const bins of [panel.bins, panel.layers?.bins]) bins?.glyph.setv({ fill_color: c.paper, line_color: c.ink });
      for (const errors of [panel.binErrors, panel.layers?.binErrors]) if (errors) errors.glyph.line_color = c.ink;
    }
    const { layers: parts, events } = panels[0];
    for (const errors of [parts.errors, parts.rawErrors]) errors.glyph.setv({ line_color: c.target, line_alpha: 0.3 });
    parts.model.glyph.line_color = c.model;
    parts.rawModel.glyph.setv({ line_color: c.model, line_alpha: 0.6 });
    for (const line of events) line.line_color = c.soft;
    for (const panel of panels) if (panel.zero) panel.zero.line_color = c.model;
    const { fill, line } = frameColours(app.result);
    sources.frames.data = { ...sources.frames.data, fill, line };
  };

  /** Put a drawing of each panel beside it, for the printer. */
  const print = () => {
    const open = panels.filter((p) => p.open !== false);
    for (const panel of open) {
      const borders = { left: LEFT, right: RIGHT, top: CAPTION, below: BELOW, axis: panel === open.at(-1) ? HEIGHT.axis : 0 };
      panel.box.append(paper.draw(panel.plot, panel.height - CAPTION - BELOW, borders));
    }
  };

  /** Columns of the frames as the panels draw them. */
  const columnsOf = ({ frames }) => ({ x: time.x, ...Object.fromEntries(
    Object.entries(frames.columns).map(([name, column]) => [keyOf(name), NaNs(column.values)])) });

  const fitPanel = (panel) => {
    const values = panel.fields.flatMap((field) => sources.columns.data[field] ?? []);
    const [low, high] = robustLimits(values, 0);
    setRange(panel, panel.inverted ? [high, low] : [low, high]);
  };

  /** All data are new: the zoom stays where somebody zoomed, else the night is shown whole. */
  const redraw = (data) => {
    const zoomed = { start: xRange.start, end: xRange.end }, before = day;
    const wasWhole = isWhole();
    readTime(data);
    sources.columns.data = { ...emptyColumns(), ...columnsOf(data) };
    panels.filter((panel) => panel.diagnostic).forEach(fitPanel);
    if (wasWhole) whole();
    else xRange.setv({ start: zoomed.start + before - day, end: zoomed.end + before - day });
    marked.frame = marked.pin = null;
  };

  /** Of columns that are drawn and may be missing in new data. */
  const emptyColumns = () => Object.fromEntries(
    panels.flatMap((panel) => (panel.diagnostic ? panel.fields : [])).map((f) => [f, time.x.map(() => NaN)]));

  const view = () => ({ whole: isWhole(), start: xRange.start + day, end: xRange.end + day, layers, binMinutes });
  const restoreView = (kept) => {
    if (!kept.whole) xRange.setv({ start: kept.start - day, end: kept.end - day });
    Object.assign(layers, kept.layers);
    binMinutes = kept.binMinutes;
    for (const [name, input] of Object.entries(inputs)) input.checked = layers[name];
    showLayers();
    fitRange();
  };

  const setUp = async () => {
    models = Bokeh.require("models/index");
    readTime(app.data);
    xRange = new models.Range1d({ start: 0, end: 1 });
    for (const name of ["frames", "fine", "rawModel", "bins", "residualBins"]) {
      sources[name] = source({ x: [], y: [], low: [], high: [] });
    }
    sources.frames.data = Object.fromEntries(
      ["x", "raw", "detrended", "residual", "raw_low", "raw_high", "low", "high", "fill", "line"].map((n) => [n, []]));
    sources.columns = source(columnsOf(app.data));
    sources.mark = source(emptyMark());
    sources.pin = source(emptyMark());
    addCurve();
    if (app.data.curve.residual || app.engine) addResiduals();
    addDiagnostics();
    build();
    for (const panel of panels) {
      addMarks(panel, panel.fields);
      addBeyond(panel);
      showBeyond(panel);
    }
    showPanels();
    whole();
    draw(app.result);
    showLayers();
    fitRange();
    paint();
    setMode(window.matchMedia("(pointer: coarse)").matches ? "look" : "pan");
    documentOf = new (Bokeh.require("document").Document)();
    for (const panel of panels) documentOf.add_root(panel.plot);
    const views = await Bokeh.require("embed/standalone").add_document_standalone(documentOf, byId("charts"), panels.map((p) => p.target));
    // Keys work wherever the focus is: a panel needs none.
    for (const panel of panels) Object.assign(views.get(panel.plot).canvas.events_el, { tabIndex: -1, style: "outline: none" });
    listen();
    app.on("result", draw);
    app.on("frame", mark);
    app.on("pin", pin);
    app.on("theme", paint);
    app.on("print", print);
    window.addEventListener("afterprint", () => { for (const panel of panels) panel.box.querySelector(".on-paper")?.remove(); });
    app.on("data", redraw);
    live.keep("charts", view, restoreView);
  };

  app.part("charts", setUp);
  return { panels, sources, whole };
})();
