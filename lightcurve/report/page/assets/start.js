// Bring the page to life: unpack data and Bokeh, set up the parts, draw the program's own curve.

{
  /** Let Bokeh run: its digest is in the page's policy. */
  const loadBokeh = async () => {
    const code = new TextDecoder().decode(await unzip(byId("bokeh").textContent));
    document.head.append(make("script", {}, code));
  };

  const chooseTheme = () => {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const set = (theme) => {
      app.theme = theme;
      document.documentElement.dataset.theme = theme;
      app.emit("theme", theme);
    };
    const now = () => (system.matches ? "dark" : "light");
    set(now());
    system.addEventListener("change", () => set(now()));
    byId("theme").addEventListener("click", () => set(app.theme === "dark" ? "light" : "dark"));
    live.keep("theme", () => app.theme, set);
    let before = app.theme;
    window.addEventListener("beforeprint", () => { before = app.theme; set("light"); app.emit("print"); });
    window.addEventListener("afterprint", () => set(before));
  };

  /** A part that fails is told of in the console, and does not take the others along. */
  const setUpParts = async () => {
    for (const { name, setUp } of app.parts) {
      try {
        await setUp();
      } catch (error) {
        console.error(`${name}: ${error.stack ?? error}`);
      }
    }
  };

  const start = async () => {
    document.documentElement.classList.add("scripted");
    app.data = await unpack(JSON.parse(byId("night").textContent));
    app.choice = app.data.choice;
    app.own = ownResult(app.data);
    app.result = app.own;
    await loadBokeh();
    chooseTheme();
    await setUpParts();
    app.emit("result", app.own);
    live.setUp();
    document.documentElement.dataset.ready = "yes";
  };

  start().catch((error) => console.error(`the page could not be set up: ${error.stack ?? error}`));
}
