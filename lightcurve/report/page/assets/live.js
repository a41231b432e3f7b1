// While the night goes on: look for a newer page, and take over what it says.
//
// From a server the beat, a small file beside the page, tells when there is one; then its data and
// words are taken out of it, and zoom and choice stay. From disk nothing may be fetched: the page
// loads itself again, and what one had set is kept for it.

const live = (() => {
  const STILL_MS = 5000; // nobody is using the page
  const LEAST_FROM_DISK_S = 15;
  const SLOT = `page ${location.pathname}`;
  const keepers = new Map(); // name -> {read, restore} of what a reader can set
  let touched = 0;

  /** Name what has to outlive the page: `read()` gives it as JSON, `restore(value)` sets it. */
  const keep = (name, read, restore) => keepers.set(name, { read, restore });

  const save = () => {
    const state = Object.fromEntries([...keepers].map(([name, { read }]) => [name, read()]));
    sessionStorage.setItem(SLOT, JSON.stringify(state));
  };

  const restore = () => {
    const text = sessionStorage.getItem(SLOT);
    sessionStorage.removeItem(SLOT);
    const state = text ? JSON.parse(text) : {};
    for (const [name, value] of Object.entries(state)) keepers.get(name)?.restore(value);
  };

  /** Put the words of a newer page in the place of ours. */
  const takeWords = (newer) => {
    document.title = newer.title;
    for (const id of ["subtitle", "told", "sections"]) byId(id).replaceWith(document.adoptNode(newer.getElementById(id)));
  };

  /** A choice that was the program's follows the program; one's own stays. */
  const takeData = (data) => {
    const own = JSON.stringify(app.choice) === JSON.stringify(app.data.choice);
    const choice = own || !data.choice ? data.choice : app.choice;
    Object.assign(app, { data, choice, own: ownResult(data), result: ownResult(data) });
    app.emit("data", data);
    if (choice && app.engine) app.emit("choice", choice);
    else app.emit("result", app.own);
  };

  const takeNewer = async () => {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return;
    const newer = new DOMParser().parseFromString(await answer.text(), "text/html");
    const data = await unpack(JSON.parse(newer.getElementById("night").textContent));
    takeWords(newer);
    takeData(data);
  };

  const lookAtServer = async () => {
    try {
      const answer = await fetch(new URL(app.data.live.beat, location.href), { cache: "no-store" });
      if (answer.ok && (await answer.json()).stamp !== app.data.live.stamp) await takeNewer();
    } catch {
      // The server is away, or the page is just being written: there is a next time.
    }
    next();
  };

  const lookAtDisk = () => {
    if (document.visibilityState === "visible" && performance.now() - touched > STILL_MS) {
      save();
      location.reload();
    } else {
      next();
    }
  };

  const next = () => {
    if (!app.data.live) return;
    const served = location.protocol !== "file:", every = app.data.live.every_s;
    setTimeout(served ? lookAtServer : lookAtDisk, 1000 * (served ? every : Math.max(every, LEAST_FROM_DISK_S)));
  };

  const setUp = () => {
    restore();
    for (const event of ["pointermove", "pointerdown", "keydown", "wheel"]) {
      addEventListener(event, () => { touched = performance.now(); }, { passive: true });
    }
    next();
  };

  return { keep, setUp };
})();
