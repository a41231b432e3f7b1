// The field: the reference frame's picture with the stars, zoomed and panned; a click chooses a star.

const sky = (() => {
  const ZOOM = 1.3, MOST = 24; // of a press of a button; screen pixels to one of the picture
  const TALLEST = 0.8; // of the window's height
  const NEAR = 14; // pixels of the screen within which a click means a star
  const SCROLLING_MS = 250; // the wheel that scrolls the page goes on doing so over the picture

  /**
   * Load a sheet's image: bright stars on black for the dark theme, the reverse for paper.
   * @returns {Promise<{dark: ImageBitmap, light: ImageBitmap}>}
   */
  const load = async (sheet) => {
    const image = new Image();
    image.src = sheet.image;
    await image.decode();
    const { width, height } = image;
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(image, 0, 0);
    const dark = await createImageBitmap(image);
    context.globalCompositeOperation = "difference";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    return { dark, light: context.canvas.transferToImageBitmap() };
  };

  /** Give a canvas as many pixels as the screen shows of it. @returns context, in CSS pixels */
  const fresh = (canvas, width, height) => {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    return context;
  };

  /** Radius of the present aperture, pixels, in a frame or, without one, in the middle one. */
  const radiusNow = (frame = null) => {
    const { cube, picture } = app.data;
    const given = app.choice && cube?.apertures?.[app.choice.aperture];
    if (!given) return picture?.radius ?? 0;
    if (given.kind === "fixed") return given.value;
    const [radii, factor] = given.kind === "fwhm" ? [cube.fwhm.values, given.value] : [cube.radius_used.values, 1];
    return factor * (frame === null ? [...radii].sort((a, b) => a - b)[radii.length >> 1] : radii[frame]);
  };

  /** Make a frame as large as a picture can be in it. @returns {[number, number]} CSS pixels */
  const fitted = (frame, { width: w, height: h }) => {
    const tallest = Math.max(320, TALLEST * window.innerHeight);
    const width = Math.min(frame.parentElement.clientWidth, (tallest * w) / h);
    const height = (width * h) / w;
    Object.assign(frame.style, { width: `${width}px`, height: `${height}px` });
    return [width, height];
  };

  /** What a star is at present: its role, or what the reader made of it. */
  const roleOf = (star, choice = app.choice) => {
    if (star.role === "target" || !choice) return star.role;
    if (choice.rows.includes(star.row)) return "comparison";
    return star.role === "comparison" ? "field" : star.role;
  };

  /** Whether the reader may take a star into the ensemble, or out of it. */
  const mayChange = (star) => Boolean(app.choice) && star.in_cube && star.role !== "target";

  /** Take a star into the ensemble or out of it; the last one stays. */
  const toggle = (star) => {
    if (!mayChange(star)) return;
    const { rows } = app.choice;
    const changed = rows.includes(star.row)
      ? rows.filter((row) => row !== star.row) : [...rows, star.row].sort((a, b) => a - b);
    if (changed.length) app.emit("choice", { ...app.choice, rows: changed });
  };

  const variable = (role) => (role === "field" ? "other" : role);

  /**
   * Draw circles of aperture and sky.
   * @param {function(Object): ?[number, number]} placeOf a star, pixels of the canvas
   * @param {number} scale pixels of the canvas to one of the frame
   */
  const drawStars = (context, placeOf, scale, { selected = null, named = false, frame = null }) => {
    const { annulus } = app.data.picture;
    const radius = Math.max(radiusNow(frame) * scale, 2.5);
    const colours = new Map();
    const tint = (name) => {
      if (!colours.has(name)) colours.set(name, colour(name));
      return colours.get(name);
    };
    const ring = (x, y, r) => { context.beginPath(); context.arc(x, y, r, 0, 2 * Math.PI); context.stroke(); };
    context.font = "600 11px system-ui, sans-serif";
    for (const star of app.data.stars) {
      const place = placeOf(star);
      if (!place) continue;
      const [x, y] = place;
      const role = roleOf(star);
      const chosen = star.row === selected;
      context.strokeStyle = context.fillStyle = tint(chosen ? "accent" : variable(role));
      context.lineWidth = chosen ? 2.4 : role === "field" ? 0.8 : 1.5;
      context.setLineDash(role !== star.role ? [3, 3] : []);
      ring(x, y, radius);
      context.setLineDash([]);
      if (role === "field" && !chosen) continue;
      context.globalAlpha = 0.55;
      context.lineWidth = 0.8;
      for (const r of annulus) ring(x, y, r * scale);
      context.globalAlpha = 1;
      if (named) context.fillText(star.id, x + radius + 3, y - radius - 1);
    }
  };

  /** Arrows to north and east, and a bar of a round number of arc minutes. */
  const drawCompass = (context, width, height, scale) => {
    const { north, east, scale_arcsec: arcsec } = app.data.picture;
    if (!north || !arcsec) return;
    const size = 26, [x, y] = [width - 48, height - 48];
    context.strokeStyle = context.fillStyle = colour("ink");
    context.lineWidth = 1.6;
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [name, [dx, dy]] of [["N", north], ["E", east]]) {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + size * dx, y - size * dy);
      context.stroke();
      context.fillText(name, x + 1.4 * size * dx, y - 1.4 * size * dy);
    }
    const perMinute = (60 / arcsec) * scale;
    const minutes = [60, 30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02].find(
      (m) => m * perMinute < 0.28 * width) ?? 0.01;
    context.lineWidth = 2.5;
    context.beginPath();
    context.moveTo(14, height - 16);
    context.lineTo(14 + minutes * perMinute, height - 16);
    context.stroke();
    context.textAlign = "left";
    context.fillText(`${minutes}′`, 14, height - 27);
    context.textBaseline = "alphabetic";
  };

  /** Build a part of the page once there is something to show: of a night that goes on, later. */
  const onceThere = (there, build) => {
    let built = false;
    const attempt = async () => {
      if (built || !there()) return;
      built = true;
      await build();
    };
    app.on("data", attempt);
    return attempt();
  };

  const setUp = async () => {
    const star = make("aside", { id: "star", "aria-live": "polite" });
    const split = make("div.split", {},
      make("p.soft", {}, "This run kept no picture of its field; run it again to have one."), star);
    byId("field").append(make("h2", {}, "Field"), split);
    await onceThere(() => app.data.picture, () => showPicture(split.firstChild));
  };

  /** Put the picture in the place of an element; it draws itself again whenever something changes. */
  const showPicture = async (element) => {
    let images = await load(app.data.picture);
    const view = { zoom: 1, x: 0, y: 0 }; // of the picture's middle, pixels of the picture
    let [selected, named, lastScroll, width, height] = [null, true, 0, 0, 0];
    const marks = make("canvas.marks", {
      tabindex: 0, role: "img",
      "aria-label": "The field with its stars. Arrow keys pan, plus and minus zoom, 0 shows all; the table below chooses stars.",
    });
    const frame = make("div.frame", {}, marks);
    const button = (words, label, fn) => make(
      "button", { type: "button", "aria-label": label, title: label, onclick: fn }, words);
    const bar = make("div.tools", { role: "toolbar", "aria-label": "Picture" },
      button("+", "Zoom in", () => zoomAt(ZOOM)), button("−", "Zoom out", () => zoomAt(1 / ZOOM)),
      button("All", "Show the whole field", () => reset()),
      button("Names", "Show or hide names", () => { named = !named; draw(); }));
    element.replaceWith(make("div", {}, bar, frame));

    const size = () => [app.data.picture.width, app.data.picture.height];
    const fit = () => width / size()[0];
    const scale = () => fit() * view.zoom; // pixels of the screen to one of the picture
    const toScreen = (x, y) => {
      const s = scale();
      return [width / 2 + (x - view.x) * s, height / 2 + (y - view.y) * s];
    };
    /** From the frame's pixels, whose first row is the lowest, to the picture's corners. */
    const toPicture = (x, y) => {
      const { step } = app.data.picture;
      return [(x + 0.5) / step, size()[1] - (y + 0.5) / step];
    };
    const placeOf = (star) => {
      if (star.x === null || star.y === null) return null;
      const [x, y] = toScreen(...toPicture(star.x, star.y));
      return x < -60 || y < -60 || x > width + 60 || y > height + 60 ? null : [x, y];
    };

    const keepInside = () => {
      const [w, h] = size();
      const half = [width / 2 / scale(), height / 2 / scale()];
      view.x = half[0] * 2 >= w ? w / 2 : Math.min(Math.max(view.x, half[0]), w - half[0]);
      view.y = half[1] * 2 >= h ? h / 2 : Math.min(Math.max(view.y, half[1]), h - half[1]);
      marks.style.touchAction = view.zoom > 1 ? "none" : "pan-y";
    };
    const draw = () => {
      const [w, h] = size();
      [width, height] = fitted(frame, app.data.picture);
      if (!width) return;
      keepInside();
      // All on one canvas: of two, one upon the other, the lower is not printed.
      const context = fresh(marks, width, height);
      context.imageSmoothingEnabled = scale() < 3;
      context.drawImage(images[app.theme], ...toScreen(0, 0), w * scale(), h * scale());
      drawStars(context, placeOf, scale() / app.data.picture.step, { selected, named });
      drawCompass(context, width, height, scale() / app.data.picture.step);
    };
    const reset = () => { [view.x, view.y] = size().map((n) => n / 2); view.zoom = 1; draw(); };
    const zoomAt = (factor, [x, y] = [width / 2, height / 2]) => {
      const before = [(x - width / 2) / scale(), (y - height / 2) / scale()];
      view.zoom = Math.min(Math.max(view.zoom * factor, 1), MOST / fit());
      view.x += before[0] - (x - width / 2) / scale();
      view.y += before[1] - (y - height / 2) / scale();
      draw();
    };
    const at = (event) => {
      const box = marks.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const nearest = ([x, y]) => {
      const reach = Math.max(NEAR, (radiusNow() * scale()) / app.data.picture.step);
      let [best, least] = [null, reach];
      for (const star of app.data.stars) {
        const place = placeOf(star);
        const distance = place ? Math.hypot(place[0] - x, place[1] - y) : Infinity;
        if (distance < least) [best, least] = [star, distance];
      }
      return best;
    };

    const fingers = new Map(); // pointers that are down, by id, pixels of the canvas
    let travelled = 0;
    marks.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, at(event));
      if (fingers.size === 1) travelled = 0;
    });
    marks.addEventListener("pointermove", (event) => {
      const here = at(event);
      const before = fingers.get(event.pointerId);
      if (!before) {
        const star = nearest(here);
        marks.style.cursor = star ? "pointer" : view.zoom > 1 ? "grab" : "default";
        marks.title = star ? `${star.id}: ${star.reason}` : "";
        return;
      }
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      travelled += Math.hypot(here[0] - before[0], here[1] - before[1]);
      if (travelled > 4) marks.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, here);
      if (other) {
        const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
        zoomAt(apart(here) / Math.max(apart(before), 1), [(here[0] + other[0]) / 2, (here[1] + other[1]) / 2]);
        return;
      }
      view.x -= (here[0] - before[0]) / scale();
      view.y -= (here[1] - before[1]) / scale();
      draw();
    });
    const lift = (event) => fingers.delete(event.pointerId);
    marks.addEventListener("pointercancel", lift);
    marks.addEventListener("pointerleave", lift);
    marks.addEventListener("pointerup", (event) => {
      lift(event);
      if (travelled > 4) return;
      app.emit("star", nearest(at(event))?.row ?? null);
    });
    marks.addEventListener("dblclick", (event) => {
      const star = nearest(at(event));
      if (star) toggle(star);
    });
    window.addEventListener("scroll", () => { lastScroll = performance.now(); }, { passive: true });
    marks.addEventListener("wheel", (event) => {
      if (performance.now() - lastScroll < SCROLLING_MS && !event.ctrlKey) return;
      if (view.zoom === 1 && event.deltaY > 0) return;
      event.preventDefault();
      zoomAt(Math.exp(-0.0015 * event.deltaY), at(event));
    }, { passive: false });
    marks.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const zooms = { "+": ZOOM, "=": ZOOM, "-": 1 / ZOOM };
      const move = moves[event.key];
      if (event.key === "0") reset();
      else if (zooms[event.key]) zoomAt(zooms[event.key]);
      else if (move && view.zoom > 1) {
        view.x += (move[0] * 40) / scale();
        view.y += (move[1] * 40) / scale();
        draw();
      } else return;
      event.preventDefault();
    });

    app.on("star", (row) => {
      selected = row;
      const star = app.data.stars.find((s) => s.row === row);
      if (star && view.zoom > 1 && !placeOf(star)) [view.x, view.y] = toPicture(star.x, star.y);
      draw();
    });
    for (const event of ["choice", "result", "theme"]) app.on(event, draw);
    app.on("data", async () => {
      if (!app.data.picture) return;
      images = await load(app.data.picture);
      draw();
    });
    new ResizeObserver(draw).observe(frame.parentElement);
    live.keep("field", () => [view, selected], ([kept, star]) => {
      Object.assign(view, kept);
      app.emit("star", star);
    });
    reset();
  };

  return { setUp, onceThere, load, fresh, fitted, radiusNow, roleOf, mayChange, toggle, drawStars, variable };
})();

app.part("field", sky.setUp);
