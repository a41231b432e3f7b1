// The film of the night: each frame's field and target, with the apertures where the stars were.

{
  const SPEEDS = [["4", "4 a second"], ["10", "10 a second"], ["25", "25 a second"]];
  const TARGET_SIDE = 220; // pixels of the screen
  let sheets = { target: null, field: null }; // images of both themes, once they are loaded

  /** Corner of a cell on its sheet, pixels. */
  const cornerOf = (sheet, cell) => [
    (cell % sheet.columns) * sheet.width, Math.floor(cell / sheet.columns) * sheet.height];

  const drawCell = (context, name, cell, width, height) => {
    const sheet = app.data.film[name];
    context.imageSmoothingEnabled = name === "field";
    context.drawImage(sheets[name][app.theme], ...cornerOf(sheet, cell), sheet.width, sheet.height, 0, 0, width, height);
  };

  /** From the frame's pixels to those of its cell, first row on top. */
  const onCell = (sheet, cell, [x, y]) => {
    const [left, bottom] = sheet.corner[cell];
    return [(x - left + 0.5) / sheet.step, sheet.height - (y - bottom + 0.5) / sheet.step];
  };

  /** Where a star of the reference frame is in a frame; null where that is not known. */
  const inFrame = (frame, { x, y }) => {
    const [a, b, c, d, e, f] = app.data.film.matrix.values.subarray(6 * frame, 6 * frame + 6);
    const place = [a * x + b * y + c, d * x + e * y + f];
    return place.every(Number.isFinite) ? place : null;
  };

  /** The frame nearest to one that has a picture of the field; null where none has. */
  const shownField = (frame) => {
    const { cell } = app.data.film.field;
    for (let away = 0; away < cell.length; away += 1) {
      for (const k of [frame - away, frame + away]) if (Number.isInteger(cell[k])) return k;
    }
    return null;
  };

  /**
   * The target in a frame, with its aperture.
   * @returns {?HTMLCanvasElement} null where the run kept no picture of it
   */
  const thumbnail = (frame, side = 96) => {
    const sheet = app.data.film?.target;
    const cell = sheet?.cell[frame];
    if (!sheets.target || !Number.isInteger(cell)) return null;
    const canvas = make("canvas.thumbnail", { width: side, height: side, role: "img",
      "aria-label": `The target in frame ${frame + 1}` });
    const context = sky.fresh(canvas, side, side);
    canvas.style.width = canvas.style.height = `${side}px`;
    drawCell(context, "target", cell, side, side);
    const place = [...app.data.film.place.values.subarray(2 * frame, 2 * frame + 2)];
    if (place.every(Number.isFinite) && app.data.picture) {
      const zoom = side / sheet.width;
      const [x, y] = onCell(sheet, cell, place).map((v) => v * zoom);
      context.strokeStyle = colour("target");
      for (const [r, width] of [[sky.radiusNow(frame), 1.6], ...app.data.picture.annulus.map((a) => [a, 0.7])]) {
        context.lineWidth = width;
        context.beginPath();
        context.arc(x, y, (r / sheet.step) * zoom, 0, 2 * Math.PI);
        context.stroke();
      }
    }
    return canvas;
  };

  /** The field in a frame without a measurement. @returns {?HTMLCanvasElement} */
  const lostPicture = (k, width = 120) => {
    const sheet = app.data.film?.field;
    const cell = sheet?.lost[k];
    if (!sheets.field || !Number.isInteger(cell)) return null;
    const height = Math.round((width * sheet.height) / sheet.width);
    const canvas = make("canvas.thumbnail", { role: "img", "aria-label": "The field in this frame" });
    canvas.style.width = `${width}px`;
    drawCell(sky.fresh(canvas, width, height), "field", cell, width, height);
    return canvas;
  };

  const load = async () => {
    const film = app.data.film ?? {};
    const [target, field] = await Promise.all(
      [film.target, film.field].map((sheet) => (sheet ? sky.load(sheet) : null)));
    sheets = { target, field };
  };

  const told = (frame) => {
    const { file, utc, columns } = app.data.frames;
    const some = Object.values(columns).filter((c) => c.panel).map(
      (c) => {
        const value = c.values[frame];
        return `${[c.label, c.legend].filter(Boolean).join(" ")} ${Number.isFinite(value) ? Number(value.toPrecision(4)) : "–"}`;
      });
    const flux = (app.result ?? app.data.curve).flux[frame];
    return [`${utc[frame]?.slice(11, 19) ?? ""} UTC`, `flux ${shown(flux, 4)}`, ...some, file[frame]];
  };

  const show = async () => {
    await load();
    app.thumbnail = thumbnail;
    app.lostPicture = lostPicture;
    const section = byId("film");
    let [frame, playing, speed, last] = [0, false, 10, 0];
    const marks = make("canvas.marks", { role: "img", "aria-label": "The field in the frame shown" });
    const screen = make("div.frame", {}, marks);
    const close = make("div.close");
    const caption = make("p.told", { "aria-live": "off" });
    const slider = make("input", { type: "range", min: 0, max: app.data.frames.file.length - 1, value: 0, "aria-label": "Frame",
      oninput: (event) => { stop(); go(Number(event.target.value)); } });
    const play = make("button.play", { type: "button", onclick: () => (playing ? stop() : start()) }, "Play");
    const button = (words, label, fn) => make("button", { type: "button", "aria-label": label, title: label, onclick: fn }, words);

    const draw = () => {
      if (!app.data.film) return;
      const { field, target } = app.data.film;
      const k = field && shownField(frame);
      screen.hidden = !Number.isInteger(k);
      const [width, height] = field ? sky.fitted(screen, field) : [0, 0];
      if (Number.isInteger(k) && width) {
        const context = sky.fresh(marks, width, height);
        drawCell(context, "field", field.cell[k], width, height);
        const zoom = width / field.width;
        if (app.data.picture) {
          sky.drawStars(context, (star) => {
            const place = ["target", "comparison", "check"].includes(sky.roleOf(star)) && inFrame(k, star);
            return place ? onCell(field, field.cell[k], place).map((v) => v * zoom) : null;
          }, zoom / field.step, { frame: k });
        }
        if (k !== frame) {
          context.fillStyle = colour("soft");
          context.font = "12px system-ui, sans-serif";
          context.fillText(`field of frame ${k + 1}`, 8, height - 8);
        }
      }
      if (target) close.replaceChildren(thumbnail(frame, TARGET_SIDE) ?? make("p.soft", {}, "no picture of the target in this frame"));
      slider.value = frame;
      slider.setAttribute("aria-valuetext", `frame ${frame + 1} of ${app.data.frames.file.length}`);
      const [time, ...rest] = told(frame);
      caption.replaceChildren(make("b", {}, `${frame + 1} of ${app.data.frames.file.length} · ${time}`), " ",
        make("span", { dir: "auto", title: app.data.frames.file[frame] }, rest.map((t) => shorten(t, 40)).join(" · ")));
    };
    const go = (wanted) => {
      const n = app.data.frames.file.length;
      app.emit("frame", ((wanted % n) + n) % n);
    };
    const tick = (now) => {
      if (!playing) return;
      if (now - last > 1000 / speed) {
        last = now;
        go(frame + 1);
      }
      requestAnimationFrame(tick);
    };
    const start = () => { playing = true; play.textContent = "Pause"; requestAnimationFrame(tick); };
    const stop = () => { playing = false; play.textContent = "Play"; };

    section.append(make("h2", {}, "Film of the night"),
      make("div.tools", { role: "toolbar", "aria-label": "Film" },
        button("‹", "One frame back", () => { stop(); go(frame - 1); }), play,
        button("›", "One frame on", () => { stop(); go(frame + 1); }), slider,
        makeSelect("Speed", SPEEDS, (value) => { speed = Number(value); }),
        button("Pin", "Pin this frame in the charts", () => app.emit("pin", frame))),
      caption, make("div.film", {}, make("div", {}, screen), close));
    section.querySelector("select").value = String(speed);
    app.on("frame", (wanted) => { if (wanted !== null && wanted !== undefined) { frame = wanted; draw(); } });
    for (const event of ["choice", "result", "theme"]) app.on(event, draw);
    app.on("data", async () => { await load(); slider.max = app.data.frames.file.length - 1; draw(); });
    new ResizeObserver(draw).observe(screen.parentElement);
    live.keep("film", () => frame, (kept) => { frame = Math.min(kept, app.data.frames.file.length - 1); draw(); });
    draw();
  };

  app.part("film", () => sky.onceThere(() => app.data.film && app.data.frames.file.length, show));
}
