// The frames: those that gave nothing, with the reason, and a table of the others.

{
  const MOST_COLUMNS = 7; // of those of the charts; a phone has to be scrolled as it is

  const isUsed = (frame) => Boolean((app.result?.used ?? app.data.curve.used)[frame]);

  const lostList = () => {
    const { lost } = app.data;
    if (!lost.length) return make("p.soft", {}, "Every frame that was tried gave a measurement.");
    return make("details.lost", { open: lost.length <= 12 },
      make("summary", {}, `${lost.length} ${lost.length === 1 ? "frame" : "frames"} without a measurement`),
      make("ul", {}, ...lost.map(({ file, reason }, k) => make("li", {},
        app.lostPicture?.(k) ?? null,
        make("div", {}, make("b", { title: file, dir: "auto" }, shorten(file, 48)), make("div", { dir: "auto" }, reason))))));
  };

  const columns = () => {
    const { file, utc, columns: told } = app.data.frames;
    const flux = () => (app.result ?? app.data.curve).flux;
    const numbers = Object.values(told).filter((c) => c.panel).slice(0, MOST_COLUMNS).map((column) => {
      const digits = decimalsOf(column.values);
      return {
        name: [column.label.replace(/\s*\(.*\)$/, ""), column.legend].filter(Boolean).join(" "),
        title: [column.label, column.legend].filter(Boolean).join(" "),
        width: "5.6rem", number: true,
        value: ({ key }) => column.values[key],
        cell: ({ key }) => shown(column.values[key], digits),
      };
    });
    return [
      { name: "#", width: "3.4rem", number: true, value: ({ key }) => key + 1, cell: ({ key }) => String(key + 1) },
      { name: "file", width: "13.5rem", value: ({ key }) => file[key],
        cell: ({ key }) => make("span", { title: file[key], dir: "auto" }, shorten(file[key], 25)) },
      { name: "UTC", width: "5.4rem", value: ({ key }) => utc[key], cell: ({ key }) => utc[key].slice(11, 19) || "–" },
      { name: "flux", width: "5rem", number: true, value: ({ key }) => flux()[key], cell: ({ key }) => shown(flux()[key], 4) },
      { name: "remarks", width: "9rem",
        value: ({ key }) => [...(isUsed(key) || isExcluded(key) ? [] : ["not used"]), ...flagWords(key)].join(", ") },
      ...numbers,
    ];
  };

  const setUp = () => {
    const section = byId("frames");
    let filter = "all";
    const passes = (key) => ({
      all: true, odd: !isUsed(key) || isExcluded(key),
    })[filter] ?? flagWords(key).includes(filter);
    const build = () => {
      const table = makeTable({
        label: "Frames",
        columns: columns(),
        rows: () => app.data.frames.file.map((_, key) => ({ key })).filter(({ key }) => passes(key)),
        onChoose: ({ key }) => { app.emit("frame", key); app.emit("pin", key); },
        kind: ({ key }) => (isExcluded(key) ? "excluded" : isUsed(key) ? "" : "unused"),
      });
      const met = new Set(app.data.frames.file.flatMap((_, key) => flagWords(key)));
      met.add(LEFT_OUT);
      const choices = [["all", "all"], ["odd", "not used"], ...[...met].sort().map((name) => [name, name])];
      section.replaceChildren(make("h2", {}, "Frames"), lostList(),
        make("div.tools", {}, makeSelect("Show", choices, (value) => { filter = value; table.update(); })),
        table.element);
      table.update();
      return table;
    };
    let table = build();
    app.on("frame", (key) => { if (key !== null) table.select(key); });
    for (const event of ["choice", "result"]) app.on(event, () => table.update());
    app.on("data", () => { table = build(); });
  };

  app.part("frames", setUp);
}
