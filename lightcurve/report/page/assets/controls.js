// Beside the curve: the frame under the pointer, the choice that makes the curve, what comes of it.

const controls = (() => {
  const MINUTES = 1440;
  const UNITS = { adu: "ADU", pix: "px" }; // as the page writes what tables have otherwise
  const FEW_CHIPS = 40; // stars with a button of their own; the others are taken in the field

  const same = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
  const sorted = (choice) => ({
    rows: [...choice.rows].sort((a, b) => a - b), aperture: choice.aperture, weighting: choice.weighting,
    covariates: [...choice.covariates].sort(), excluded: [...choice.excluded].sort(),
  });
  const toggled = (list, entry) =>
    (list.includes(entry) ? list.filter((e) => e !== entry) : [...list, entry]);

  /** Who made the choice that the page came with. */
  const whose = () => (app.data.untuned ? "the run\u2019s" : "the program\u2019s");

  /** Change a part of the choice: everything follows from the event. */
  const change = (part) => app.emit("choice", { ...app.choice, ...part });

  // --- the frame ---------------------------------------------------------------------------------

  let pinned = null;

  /** What is known of a frame, as [label, text] pairs. */
  const facts = (k) => {
    const { frames } = app.data, { result } = app;
    const flux = result.flux[k], error = result.flux_err[k];
    const told = [
      ["UTC", frames.utc[k].replace("T", " ")],
      ["BJD (TDB)", shown(frames.bjd_tdb[k], 6)],
      ["relative flux", `${shown(flux, 5)} \u00b1 ${shown(error, 5)}`],
      ...(result.detrended ? [["detrended", shown(result.detrended[k], 5)]] : []),
      ["flags", flagWords(k).join(", ") || "none"],
    ];
    const columns = Object.values(frames.columns).map(({ label, legend, unit, values }) => {
      const [, name, inLabel] = label.match(/^(.*?)(?: \((.*)\))?$/);
      const text = `${shown(values[k], decimalsOf(values))} ${UNITS[unit] ?? (unit || inLabel || "")}`;
      return [legend ? `${name} ${legend}` : name, text.replace(/^-/, "\u2212")];
    });
    return [...told, ...columns];
  };

  const showFrame = (k) => {
    const holder = byId("frame-card");
    holder.parentElement.classList.toggle("kept", pinned !== null);
    if (k === null) {
      holder.replaceChildren(make("p.soft.hint", {}, "Point at the curve, or step with the arrow keys. A click keeps a frame here"
        + (app.engine && app.choice ? "; the key x leaves its point out." : ".")));
      return;
    }
    const file = app.data.frames.file[k];
    const picture = app.thumbnail(k);
    const rows = facts(k).flatMap(([label, text]) => [make("dt", {}, label), make("dd", {}, text)]);
    const out = isExcluded(k);
    const tools = pinned !== k ? [] : [
      app.engine && app.choice ? make("button", { id: "leave-out", type: "button", onclick: () => leaveOut(k) }, out ? "Put this point back" : "Leave this point out") : null,
      make("button", { type: "button", "aria-label": "let go of this frame", onclick: () => app.emit("pin", null) }, "\u00d7")];
    refill(holder,
      make("div.frame-head", {}, picture, make("div", {}, make("strong", { dir: "auto" }, file), make("div.tools", {}, ...tools))),
      make("dl.pairs", {}, ...rows));
  };

  const leaveOut = (k) => change({ excluded: toggled(app.choice.excluded, app.data.frames.file[k]) });

  // --- numbers -----------------------------------------------------------------------------------

  const predictedMid = () => {
    const events = Object.values(app.data.curve.predicted);
    return events.length ? events.reduce((a, b) => a + b) / events.length : NaN;
  };

  /** A value with its error in units of the last digits, as 0.1508(67). */
  const withError = (value, error) => {
    if (!(error > 0)) return shown(value, 5);
    const decimals = Math.min(9, Math.max(0, 1 - Math.floor(Math.log10(error))));
    return `${shown(value, decimals)}(${Math.round(error * 10 ** decimals)})`;
  };

  /** Rows of the table: name, label, number of a result, and how it is shown. */
  const NUMBERS = [
    ["scatter", "scatter", (r) => 100 * r.scatter, (v) => `${shown(v, 4)} %`],
    ["bic", "BIC", (r) => r.bic, (v) => shown(v, 1)],
    ["mid_time", "mid-transit", (r) => r.mid_time, (v, r) => withError(v - wholeDays(), r.mid_time_err)],
    ["o_minus_c", "O \u2212 C", (r) => (r.mid_time - predictedMid()) * MINUTES, (v) => `${shown(v, 2)} min`],
    ["depth", "depth", (r) => 100 * r.depth, (v) => `${shown(v, 3)} %`],
    ["rp_over_rs", "Rp/R*", (r) => r.rp_over_rs, (v, r) => withError(v, r.rp_over_rs_err)],
    ["n_points", "points", (r) => r.n_points, String],
  ];
  /** Days left out of the mid-time that is shown; the label tells them. */
  const wholeDays = () => Math.floor(app.data.frames.bjd_tdb.find(Number.isFinite) ?? 0);
  const known = (result, name) => result[name === "o_minus_c" ? "mid_time" : name] !== null;
  let quickOwn = null; // the program's own choice by the same quick fit, for a fair comparison

  const fitOwn = () => { quickOwn ??= app.engine.recompute(app.data, app.data.choice); };

  const showNumbers = (result) => {
    const changed = !result.full;
    if (changed) fitOwn();
    const columns = changed ? [["yours", result], [whose(), quickOwn]] : [[result.model ? `${whose()} fit` : whose(), result]];
    const cell = (name, value, show, r) => {
      const there = known(r, name) && Number.isFinite(value(r));
      return make("td", there ? { "data-name": name, title: String(value(r)) } : {}, there ? show(value(r), r) : "\u2013");
    };
    const rows = NUMBERS.filter(([name]) => columns.some(([, r]) => known(r, name))).map(([name, label, value, show]) =>
      make("tr", {}, make("th", { scope: "row" }, name === "mid_time" ? `${label}, ${wholeDays()} +` : label), ...columns.map(([, r]) => cell(name, value, show, r))));
    const head = make("tr", {}, make("td"), ...columns.map(([name]) => make("th", { scope: "col" }, name)));
    byId("numbers").replaceChildren(
      make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)),
      make("p.soft", {}, changed ? difference(result) : ofOwn(result)));
  };

  const ofOwn = (result) => [
    result.model ? "The full fit, with priors and red noise." : "No transit was fitted.",
    app.engine && app.choice ? `A change is fitted by least squares, beside the same of ${whose()} choice.` : "",
  ].join(" ");

  const difference = (result) => {
    const moved = (result.mid_time - quickOwn.mid_time) * MINUTES, deeper = 100 * (result.depth - quickOwn.depth);
    if (!Number.isFinite(moved) || !result.mid_time) return "Both by least squares.";
    const sign = (value, digits) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(digits)}`;
    return `Both by least squares. The mid-time moves by ${sign(moved, 2)} min, the depth by ${sign(deeper, 3)} %.`;
  };

  // --- the choice --------------------------------------------------------------------------------

  const field = (label, control) => make("label.field", {}, make("span", {}, label), control);

  const list = (id, label, entries, chosen, onchange) => {
    const select = make("select", { id, onchange: () => onchange(select.value) },
      ...entries.map(([value, text]) => make("option", { value, selected: String(value) === String(chosen) }, text)));
    return field(label, select);
  };

  /** Stars with a button: those compared by the program or now, and such as the program left out. */
  const chips = () => {
    const own = new Set(app.data.choice.rows), now = new Set(app.choice.rows);
    const able = app.data.stars.filter((star) => star.in_cube && star.role !== "target");
    const first = able.filter((star) => own.has(star.row) || now.has(star.row));
    const rest = able.filter((star) => !own.has(star.row) && !now.has(star.row));
    const few = [...first, ...rest.slice(0, Math.max(0, FEW_CHIPS - first.length))].sort((a, b) => a.row - b.row);
    return few.map((star) => make("button.chip", {
      id: `chip-${star.row}`, type: "button", "aria-pressed": String(now.has(star.row)), title: star.reason, "data-row": star.row,
      onclick: () => change({ rows: toggled(app.choice.rows, star.row) }),
      onpointerenter: () => app.emit("star", star.row),
    }, star.id));
  };

  /** Say where stars of the run are not in the page: numbers are then of those that are. */
  const withoutRoom = () => {
    const { choice, cube } = app.data, gone = choice.rows.filter((row) => !cube.rows.includes(row));
    return gone.length ? [make("p.soft", { id: "without-room" },
      `The page has room for ${choice.rows.length - gone.length} of ${whose()} ${choice.rows.length} comparison stars, and its numbers are of these. The command below takes all.`)] : [];
  };

  const showChoice = () => {
    const { cube } = app.data, { choice } = app;
    const ticks = cube.covariates.map(({ name, label }) => {
      const input = make("input", { id: `by-${name}`, type: "checkbox", checked: choice.covariates.includes(name), value: name,
        onchange: () => change({ covariates: toggled(app.choice.covariates, name) }) });
      return make("label.tick", {}, input, label ?? name.replaceAll("_", " "));
    });
    const out = choice.excluded.length;
    refill(byId("choice"),
      make("fieldset", {}, make("legend", {}, "Comparison stars"), make("div.chips", {}, ...chips()), ...withoutRoom()),
      list("aperture", "Aperture", cube.apertures.map((a, k) => [k, a.label]), choice.aperture, (value) => change({ aperture: Number(value) })),
      list("weighting", "Weights", cube.weightings.map((w) => [w.name, w.name.replaceAll("_", " ")]), choice.weighting, (value) => change({ weighting: value })),
      make("fieldset", {}, make("legend", {}, "Detrended by"), make("div.ticks", {}, ...ticks)),
      make("p.soft", {}, out ? `${out} ${out === 1 ? "point" : "points"} left out. ` : "To leave a point out, click it and press the key x, or the button beside its frame.",
        out ? make("button", { type: "button", onclick: () => change({ excluded: [] }) }, "Put all back") : null));
    const changed = !same(choice, app.data.choice);
    byId("back").disabled = !changed;
    byId("tune-line").value = tuneLine();
  };

  // --- the answer, where the curve is out of sight -----------------------------------------------

  const showBar = (result) => {
    const bar = byId("answer");
    if (result.full) {
      bar.replaceChildren();
      return;
    }
    const words = NUMBERS.filter(([name]) => ["scatter", "o_minus_c", "depth"].includes(name) && known(result, name))
      .map(([, label, value, show]) => `${label} ${show(value(result), result)} (${show(value(quickOwn), quickOwn)})`);
    bar.replaceChildren(
      make("span", {}, `Your choice, and in brackets ${whose()}: `, words.join(" \u00b7 ")),
      make("a", { href: "#curve" }, "to the curve"),
      make("button", { type: "button", onclick: back }, "Back"));
  };

  const back = () => app.emit("choice", { ...app.data.choice });

  const watchCurve = () => {
    const bar = make("div", { id: "answer", role: "status" });
    document.body.append(bar);
    new IntersectionObserver(([seen]) => bar.classList.toggle("out", !seen.isIntersecting)).observe(byId("curve"));
  };

  // --- the line to copy --------------------------------------------------------------------------

  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

  /** The run's folder: where this page lies, or what the page was called after. */
  const folder = () => {
    if (location.protocol !== "file:") return app.data.run || ".";
    const path = decodeURIComponent(location.pathname).replace(/\/[^/]*$/, "");
    return path.replace(/^\/([A-Za-z]:)/, "$1");
  };

  /** The command that makes the same choice: what it would say of itself is left out. */
  const tuneLine = () => {
    const { choice, data } = app, own = data.untuned ?? data.choice, words = ["lightcurve", "tune", quoted(folder())];
    const name = Object.fromEntries(data.stars.map((star) => [star.row, star.id]));
    const differ = (part) => JSON.stringify(sorted(choice)[part]) !== JSON.stringify(sorted(own)[part]);
    if (differ("rows")) words.push(...starWords(choice.rows, own.rows, (row) => name[row]));
    if (differ("aperture")) words.push(...apertureWords(data.cube.apertures[choice.aperture]));
    if (differ("weighting")) words.push("--weights", quoted(choice.weighting));
    if (differ("covariates")) {
      const names = choice.covariates.length ? choice.covariates : ["none"];
      words.push(...names.flatMap((covariate) => ["--covariate", quoted(covariate)]));
    }
    for (const file of choice.excluded) words.push("--exclude", quoted(file));
    return words.join(" ");
  };
  /** Stars left out, where there are fewer of these than of those that stay and none is new. */
  const starWords = (rows, own, name) => {
    const dropped = own.filter((row) => !rows.includes(row));
    const drop = rows.every((row) => own.includes(row)) && dropped.length < rows.length;
    return [drop ? "--drop" : "--comp", quoted((drop ? dropped : rows).toSorted((a, b) => a - b).map(name).join(","))];
  };

  const apertureWords = ({ kind, label }) =>
    (kind === "fixed" ? ["--radius", label.split(" ")[0]] : ["--aperture", quoted(label)]);

  const copy = async () => {
    const line = byId("tune-line");
    line.select();
    try {
      await navigator.clipboard.writeText(line.value);
      say("Copied.");
    } catch {
      say("Selected: copy it with the keyboard.");
    }
  };

  const say = (text) => { byId("said").textContent = text; };

  // --- set up ------------------------------------------------------------------------------------

  const recompute = (choice) => {
    say("");
    showChoice();
    if (same(choice, app.data.choice)) {
      app.emit("result", app.own);
      return;
    }
    try {
      const before = performance.now();
      const result = app.engine.recompute(app.data, choice);
      document.documentElement.dataset.took = (performance.now() - before).toFixed(1); // ms
      app.emit("result", result);
    } catch (error) {
      say(error.message);
    }
  };

  const build = () => {
    const able = Boolean(app.engine && app.data.cube && app.data.choice);
    const card = (title, ...children) => make("div.card", {}, make("h3", {}, title), ...children);
    byId("controls").replaceChildren(
      card("Frame", make("div", { id: "frame-card" })),
      card("What comes of it", make("div", { id: "numbers" }), make("p.said", { id: "said", role: "status" })),
      ...(able ? [
        card("Your choice", make("div", { id: "choice" }),
          make("button", { id: "back", type: "button", onclick: back }, `Back to ${whose()} choice`)),
        card("Keep it", make("p.soft", {}, "This line makes the same choice, fits it in full, and with --apply writes it."),
          make("textarea", { id: "tune-line", readonly: true, rows: 4, spellcheck: "false", "aria-label": "command", onclick: () => byId("tune-line").select() }),
          make("button", { id: "copy", type: "button", onclick: copy }, "Copy")),
      ] : []));
    return able;
  };

  const setUp = () => {
    const able = build();
    showFrame(null);
    app.on("frame", (k) => showFrame(k ?? pinned));
    app.on("pin", (k) => { pinned = k; showFrame(k); });
    app.on("result", (result) => { showNumbers(result); if (pinned !== null) showFrame(pinned); });
    app.on("data", () => { quickOwn = null; if (pinned !== null) showFrame(pinned); });
    if (!able) return;
    // The first time takes a browser several times as long as any later one.
    requestIdleCallback(fitOwn);
    app.on("choice", recompute);
    document.addEventListener("keydown", (event) => {
      if (event.key === "x" && !event.ctrlKey && !event.metaKey && pinned !== null && !event.target.closest("input, select, textarea")) leaveOut(pinned);
    });
    watchCurve();
    app.on("result", showBar);
    live.keep("choice", () => app.choice, (choice) => app.emit("choice", choice));
    showChoice();
  };

  app.part("controls", setUp);
  return { tuneLine };
})();
