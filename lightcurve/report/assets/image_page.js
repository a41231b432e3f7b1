"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const svg = document.getElementById("svg"), card = document.getElementById("card");
const group = document.getElementById("sources"), space = "http://www.w3.org/2000/svg";
const size = data.size, view = [0, 0, size[0], size[1]], circles = new Map();
let chosen = null;
const add = (parent, tag, text) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; parent.append(e); return e; };
const link = (parent, text, address) => { const a = add(parent, "a", text); a.href = address; a.target = "_blank"; a.rel = "noopener noreferrer"; parent.append(" "); };
const rows = (parent, pairs) => { const body = add(add(parent, "table"), "tbody"); for (const [name, value] of pairs) { const row = add(body, "tr"); add(row, "th", name); add(row, "td", value); } };
function show(k) {
  const s = data.sources[k];
  if (chosen) chosen.classList.remove("chosen");
  chosen = circles.get(k); chosen.classList.add("chosen");
  card.replaceChildren();
  add(card, "h3", "Source " + s.id);
  if ("ra" in s) {
    const at = encodeURIComponent(s.ra + " " + s.dec), links = add(card, "p");
    link(links, "SIMBAD", "https://simbad.cds.unistra.fr/simbad/sim-coo?Coord=" + at + "&Radius=10&Radius.unit=arcsec");
    link(links, "ESASky", "https://sky.esa.int/esasky/?target=" + at + "&fov=0.05&cooframe=J2000&sci=true");
    link(links, "Aladin", "https://aladin.cds.unistra.fr/AladinLite/?target=" + at + "&fov=0.05");
  }
  rows(card, s.facts);
  for (const match of s.matches) { add(card, "h4", match.title); rows(card, match.facts); }
  if ("ra" in s && !s.matches.length) add(card, "p", "No catalogue that was asked has anything there.");
}
data.sources.forEach((s, k) => {
  const c = document.createElementNS(space, "circle");
  c.setAttribute("cx", s.x + 0.5); c.setAttribute("cy", size[1] - s.y - 0.5); c.setAttribute("r", data.radius);
  c.setAttribute("class", s.kind + ("ra" in s && !s.matches.length ? " unmatched" : ""));
  c.addEventListener("click", () => { if (!moved) show(k); });
  circles.set(k, c); group.append(c);
});
const look = () => svg.setAttribute("viewBox", view.join(" "));
const place = e => { const r = svg.getBoundingClientRect(); return [view[0] + (e.clientX - r.left) / r.width * view[2], view[1] + (e.clientY - r.top) / r.height * view[3]]; };
function zoom(factor, [x, y]) {
  const w = Math.min(size[0], Math.max(size[0] / 40, view[2] * factor)), f = w / view[2];
  view[0] = Math.max(0, Math.min(size[0] - w, x - (x - view[0]) * f));
  view[1] = Math.max(0, Math.min(size[1] - view[3] * f, y - (y - view[1]) * f));
  view[2] = w; view[3] *= f; look();
}
svg.addEventListener("wheel", e => { e.preventDefault(); zoom(e.deltaY > 0 ? 1.25 : 0.8, place(e)); }, { passive: false });
let from = null, moved = false;
svg.addEventListener("pointerdown", e => { from = [e.clientX, e.clientY]; moved = false; });
window.addEventListener("pointerup", () => { from = null; });
window.addEventListener("pointermove", e => {
  if (!from) return;
  const r = svg.getBoundingClientRect(), dx = e.clientX - from[0], dy = e.clientY - from[1];
  if (Math.hypot(dx, dy) < 4 && !moved) return;
  moved = true;
  view[0] = Math.max(0, Math.min(size[0] - view[2], view[0] - dx / r.width * view[2]));
  view[1] = Math.max(0, Math.min(size[1] - view[3], view[1] - dy / r.height * view[3]));
  from = [e.clientX, e.clientY]; look();
});
document.getElementById("reset").addEventListener("click", () => { view.splice(0, 4, 0, 0, size[0], size[1]); look(); });
function find(number) {
  const k = data.sources.findIndex(s => String(s.id) === number);
  if (k >= 0) { const s = data.sources[k]; view.splice(0, 4, 0, 0, size[0], size[1]); zoom(0.15, [s.x, size[1] - s.y]); show(k); }
}
document.getElementById("find").addEventListener("change", e => find(e.target.value.trim()));
find(location.hash.slice(1));
if ("ra" in data) document.getElementById("show-aladin").addEventListener("click", e => {
  const box = document.getElementById("aladin"), script = document.createElement("script");
  e.target.disabled = true; box.style.display = "block"; box.textContent = "Asking the CDS ...";
  script.src = "https://aladin.cds.unistra.fr/AladinLite/api/v3/latest/aladin.js";
  script.onerror = () => { box.textContent = "Aladin Lite cannot be reached: no network."; e.target.disabled = false; };
  script.onload = () => A.init.then(() => {
    box.textContent = "";
    const aladin = A.aladin("#aladin", { survey: "P/DSS2/color", fov: data.fov, target: data.ra + " " + data.dec });
    const layer = A.catalog({ name: "sources", color: "#e69f00", onClick: "showPopup" });
    aladin.addCatalog(layer);
    layer.addSources(data.sources.map(s => A.source(s.ra, s.dec, { id: String(s.id) })));
  });
  document.head.append(script);
});
})();
