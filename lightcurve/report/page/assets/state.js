// What all parts of the page share: data, the present choice and its result, events, small helpers.

const app = (() => {
  const listeners = new Map();
  const parts = [];

  /** Call `fn(detail)` whenever `event` is told. */
  const on = (event, fn) => {
    if (!listeners.has(event)) listeners.set(event, []);
    listeners.get(event).push(fn);
  };

  /** Tell an event. "choice" and "result" are also kept. */
  const emit = (event, detail) => {
    if (event === "choice") self.choice = detail;
    if (event === "result") self.result = detail;
    for (const fn of listeners.get(event) ?? []) fn(detail);
  };

  /** Name a function that sets up a part of the page once data are there; it may be async. */
  const part = (name, setUp) => parts.push({ name, setUp });

  const self = {
    data: null, choice: null, result: null,
    own: null, // Result of the program's full fit
    theme: "light",
    engine: null, // {recompute(data, choice) -> Result}, where the page can reckon
    thumbnail: () => null, // (frame) -> canvas or image of the target in it, or null
    on, emit, part, parts,
  };
  return self;
})();

/**
 * Make an element. Texts become text nodes: what a header says is never read as HTML.
 * @param {string} tag with classes behind dots, "p.soft"
 * @param {Object} attributes of the element; functions become listeners ("onclick")
 * @param {...(Node|string|number|null)} children
 */
const make = (tag, attributes = {}, ...children) => {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(key, value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map(
    (child) => (child instanceof Node ? child : String(child))));
  return element;
};

const byId = (id) => document.getElementById(id);

/** Put other children into an element; who was at a control with an id, by keyboard, stays at it. */
const refill = (holder, ...children) => {
  const { activeElement } = document;
  const held = holder.contains(activeElement) ? activeElement.id : "";
  holder.replaceChildren(...children);
  if (held) byId(held)?.focus({ preventScroll: true });
};

/** Bytes of base64 text that gzip packed. @returns {Promise<ArrayBuffer>} */
const unzip = async (base64) => {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
};

const ARRAYS = {
  f4: Float32Array, f8: Float64Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array,
  i4: Int32Array,
};

/** Bytes of values of `size` bytes, of which all the first ones come first. */
const joinPlanes = (buffer, size) => {
  const bytes = new Uint8Array(buffer), joined = new Uint8Array(bytes.length);
  const n = bytes.length / size;
  for (let j = 0; j < size; j++) for (let i = 0; i < n; i++) joined[i * size + j] = bytes[j * n + i];
  return joined.buffer;
};

/**
 * Replace every packed block within `value` by {shape, values}, values being a typed array in the
 * order of C.
 */
const unpack = async (value) => {
  if (value === null || typeof value !== "object") return value;
  if (typeof value.gzip === "string" && value.dtype in ARRAYS) {
    const Kind = ARRAYS[value.dtype], bytes = await unzip(value.gzip);
    const whole = value.planes ? joinPlanes(bytes, Kind.BYTES_PER_ELEMENT) : bytes;
    return { shape: value.shape, values: new Kind(whole) };
  }
  if (Array.isArray(value)) {
    return value.some((entry) => entry !== null && typeof entry === "object")
      ? Promise.all(value.map(unpack)) : value;
  }
  const entries = await Promise.all(
    Object.entries(value).map(async ([key, entry]) => [key, await unpack(entry)]));
  return Object.fromEntries(entries);
};

/** Colour that a variable of the style has at present, as a canvas wants it. */
const colour = (name) => {
  const probe = byId("probe");
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
};

/** The program's curve and full fit in the shape of a Result. */
const ownResult = ({ curve }) => ({ ...curve.numbers, ...curve, full: true });

const MOST_DECIMALS = 6;

/** A number with so many decimals; a dash where it is not known. */
const shown = (value, decimals) =>
  (value === null || value === undefined || !Number.isFinite(value)
    ? "\u2013" : value.toFixed(decimals));

const decimals = new WeakMap(); // of each column, once told

/** So many decimals of numbers by frame that their steps from frame to frame can be seen. */
const decimalsOf = (values) => {
  if (decimals.has(values)) return decimals.get(values);
  const known = Array.from(values).filter((v) => v !== null);
  const steps = known.slice(1).map((v, k) => Math.abs(v - known[k])).filter((v) => v > 0).sort((a, b) => a - b);
  const usual = steps[steps.length >> 1] ?? 1;
  decimals.set(values, Math.min(Math.max(1 - Math.floor(Math.log10(usual)), 0), MOST_DECIMALS));
  return decimals.get(values);
};

/** Whether the choice leaves a frame's point out. */
const isExcluded = (frame) => Boolean(app.choice?.excluded.includes(app.data.frames.file[frame]));

const LEFT_OUT = "left out by hand";

/** What is wrong with a frame's point, in words; one taken out by hand has the flag of an outlier. */
const flagWords = (frame) => {
  const flags = app.result.flags[frame], byHand = isExcluded(frame);
  const names = Object.keys(app.data.flag_names).filter((name) =>
    flags & app.data.flag_names[name] && !(byHand && name === "OUTLIER"));
  return [...(byHand ? [LEFT_OUT] : []), ...names.map((name) => name.toLowerCase().replaceAll("_", " "))];
};
