// Panels on paper: what a plot of Bokeh shows, drawn as SVG, which a printer lays out at its own
// width and sharpness. A canvas would be printed as it was on the screen, in the screen's colours.

const paper = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 720; // of a drawing: about the points of a page
  const MARKERS = {
    circle: (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
    square: (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    triangle: (x, y, r) => `M${x - r} ${y + r}h${2 * r}L${x} ${y - r}z`,
    inverted_triangle: (x, y, r) => `M${x - r} ${y - r}h${2 * r}L${x} ${y + r}z`,
  };

  const shape = (tag, attributes, ...children) => {
    const element = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  /** What a property of a glyph is for a point: of a column, one value, or itself. */
  const valueOf = (property, data, k) => {
    if (property?.field !== undefined) return data[property.field][k];
    return property?.value !== undefined ? property.value : property;
  };

  /** Round values within a range, about so many, with the decimals that tell them apart. */
  const ticksOf = ({ start, end }, count) => {
    const [low, high] = [Math.min(start, end), Math.max(start, end)];
    const rough = (high - low) / count, decade = 10 ** Math.floor(Math.log10(rough));
    const step = decade * [1, 2, 5, 10].find((k) => k * decade >= 0.7 * rough);
    const first = Math.ceil(low / step), number = Math.floor(high / step) - first + 1;
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return Array.from({ length: number }, (_, k) => [(first + k) * step, ((first + k) * step).toFixed(decimals).replace("-", "\u2212")]);
  };

  /** Pieces of a path, [colours, path], that a glyph comes to; x and y give places on the paper. */
  const PIECES = {
    *Scatter({ glyph, data_source: { data } }, x, y) {
      const at = { x: data[glyph.x.field], y: data[glyph.y.field] };
      for (let k = 0; k < at.x.length; k++) {
        const place = [x(at.x[k]), y(at.y[k])];
        if (!place.every(Number.isFinite)) continue;
        const draw = MARKERS[valueOf(glyph.marker, data, k)], r = valueOf(glyph.size, data, k) / 2;
        yield [{ fill: valueOf(glyph.fill_color, data, k), stroke: valueOf(glyph.line_color, data, k) }, draw(...place, r)];
      }
    },
    *Segment({ glyph, data_source: { data } }, x, y) {
      const [x0, y0, x1, y1] = ["x0", "y0", "x1", "y1"].map((name) => data[glyph[name].field]);
      for (let k = 0; k < x0.length; k++) {
        const ends = [x(x0[k]), y(y0[k]), x(x1[k]), y(y1[k])];
        if (ends.every(Number.isFinite)) yield [{ stroke: valueOf(glyph.line_color, data, k) }, `M${ends[0]} ${ends[1]}L${ends[2]} ${ends[3]}`];
      }
    },
    *Line({ glyph, data_source: { data } }, x, y) {
      const [xs, ys] = [data[glyph.x.field], data[glyph.y.field]];
      const path = Array.from(xs, (value, k) => {
        if (!Number.isFinite(ys[k])) return "";
        return `${k && Number.isFinite(ys[k - 1]) ? "L" : "M"}${x(value)} ${y(ys[k])}`;
      });
      yield [{ stroke: valueOf(glyph.line_color, data, 0) }, path.join("")];
    },
  };

  /** Paths of a glyph, one for each of its colours. */
  const pathsOf = (renderer, x, y) => {
    const paths = new Map(), { glyph, data_source: { data } } = renderer;
    for (const [{ fill = null, stroke = null }, path] of PIECES[glyph.type](renderer, x, y)) {
      const key = JSON.stringify([fill, stroke]);
      paths.set(key, (paths.get(key) ?? "") + path);
    }
    const rest = {
      "stroke-width": valueOf(glyph.line_width, data, 0), "stroke-opacity": valueOf(glyph.line_alpha, data, 0),
      "fill-opacity": glyph.fill_alpha === undefined ? 1 : valueOf(glyph.fill_alpha, data, 0),
    };
    return [...paths].map(([key, d]) => {
      const [fill, stroke] = JSON.parse(key);
      return shape("path", { d, fill: fill ?? "none", stroke: stroke ?? "none", ...rest });
    });
  };

  const straight = (span, x, y, width, height) => {
    const place = span.location, flat = span.dimension === "width";
    const d = flat ? `M0 ${y(place)}h${width}` : `M${x(place)} 0v${height}`;
    return shape("path", { d, fill: "none", stroke: valueOf(span.line_color, {}, 0), "stroke-dasharray": span.line_dash });
  };

  /**
   * Draw a plot.
   * @param {Object} plot of Bokeh, with linear axes
   * @param {number} height of its frame, pixels
   * @param {{left: number, right: number, top: number, below: number, axis: number}} borders pixels;
   *   axis: room for numbers of the horizontal one, 0 for none
   * @returns {SVGElement}
   */
  const draw = (plot, height, { left, right, top, below, axis }) => {
    const { x_range: across, y_range: up } = plot, width = WIDTH - left - right;
    const scale = ({ start, end }, from, to) => (v) => Number((from + (v - start) / (end - start) * (to - from)).toFixed(2));
    const x = scale(across, 0, width), y = scale(up, height, 0);
    const line = (d, stroke) => shape("path", { d, fill: "none", stroke: `var(--${stroke})` });
    const words = (text, attributes) => shape("text", { "font-size": 11, fill: "var(--soft)", ...attributes }, text);
    const high = ticksOf(up, height > 200 ? 6 : 3), wide = ticksOf(across, 7);
    const numbers = high.map(([v, text]) => words(text, { x: left - 7, y: top + y(v) + 4, "text-anchor": "end" }));
    if (axis) numbers.push(...wide.map(([v, text]) => words(text, { x: left + x(v), y: top + height + 16, "text-anchor": "middle" })),
      words(plot.below[0].axis_label ?? "", { x: left + width / 2, y: top + height + 34, "text-anchor": "middle" }));
    const spans = plot.center.filter(({ type, location }) => type === "Span" && Number.isFinite(location));
    // One drawing within another shows nothing of what lies beyond it.
    const inside = shape("svg", { x: left, y: top, width, height },
      ...high.map(([v]) => line(`M0 ${y(v)}h${width}`, "grid")), ...wide.map(([v]) => line(`M${x(v)} 0v${height}`, "grid")),
      ...plot.renderers.filter((r) => r.visible).flatMap((r) => pathsOf(r, x, y)),
      ...spans.map((span) => straight(span, x, y, width, height)));
    const frame = line(`M${left} ${top}v${height}h${width}`, "line");
    return shape("svg", { viewBox: `0 0 ${WIDTH} ${top + height + below + axis}`, class: "on-paper" }, ...numbers, frame, inside);
  };

  return { draw };
})();
