// A table that is sorted by a click on a column's head and stays quick with thousands of rows: only
// those in sight are elements.

const ROW_HEIGHT = 28; // pixels, as the style has it
const SPARE_ROWS = 12; // drawn above and below those in sight
const PRINTED = 200; // rows; the tables of a run have all

/** A long name with its middle left out; its end tells frames apart, its beginning nights. */
const shorten = (name, most = 30) => {
  const letters = [...name];
  if (letters.length <= most) return name;
  const tail = Math.ceil(0.6 * (most - 1));
  return `${letters.slice(0, most - 1 - tail).join("")}…${letters.slice(-tail).join("")}`;
};

/** Compare values of a column; what is not known comes last, whichever way it is sorted. */
const compare = (one, two, falling) => {
  const [a, b] = [one, two].map((v) => v === null || v === undefined || Number.isNaN(v) || v === "");
  if (a || b) return a - b;
  const order = typeof one === "string" ? one.localeCompare(two, "en", { numeric: true }) : one - two;
  return falling ? -order : order;
};

/**
 * @param {Object} options
 * @param {string} options.label what the table shows, for those who do not see it
 * @param {Array<{name: string, title?: string, width: string, number?: boolean,
 *   value: function(Object): (string|number|null), cell?: function(Object): (Node|string)}>}
 *   options.columns `value` is what it is sorted by and, without `cell`, what is shown
 * @param {function(): Object[]} options.rows those that pass the filter at present, with a `key`
 * @param {function(Object): void} options.onChoose a row was clicked, or Enter pressed on it
 * @param {function(Object): string} [options.kind] class of a row
 * @returns {{element: HTMLElement, update: function(): void, select: function(*): void}}
 */
const makeTable = ({ label, columns, rows, onChoose, kind = () => "" }) => {
  let [sorted, falling, selected, shownRows] = [null, false, null, []];
  const body = make("tbody");
  const heads = columns.map((column, k) => make(
    "th", { scope: "col", class: column.number ? "number" : "", style: `width:${column.width}` },
    column.name
      ? make("button.head", { type: "button", title: column.title ?? "", onclick: () => sortBy(k) },
        column.name) : ""));
  const table = make("table.rows", { "aria-label": label },
    make("thead", {}, make("tr", {}, ...heads)), body);
  const element = make("div.window", { tabindex: 0, role: "region", "aria-label": label }, table);

  const sortBy = (k) => {
    [falling, sorted] = [sorted === k && !falling, k];
    heads.forEach((head, i) => (i === k
      ? head.setAttribute("aria-sort", falling ? "descending" : "ascending")
      : head.removeAttribute("aria-sort")));
    update();
  };

  const rowOf = (row, place) => {
    const cells = columns.map((column) => {
      const value = column.cell ? column.cell(row) : column.value(row);
      const title = typeof value === "string" ? { title: String(column.value(row) ?? "") } : {};
      return make("td", { class: column.number ? "number" : "", ...title }, value ?? "–");
    });
    return make("tr", {
      class: kind(row), tabindex: 0, "aria-rowindex": place + 2, "aria-selected": String(row.key === selected),
      onclick: () => onChoose(row),
      onkeydown: (event) => { if (event.key === "Enter" && event.target.tagName === "TR") onChoose(row); },
    }, ...cells);
  };

  const gap = (count) => make("tr.gap", { "aria-hidden": "true" },
    make("td", { colspan: columns.length, style: `height:${count * ROW_HEIGHT}px` }));

  /** Draw the rows in sight; for print the first ones, all of a star table. */
  const draw = ({ print = false } = {}) => {
    const first = print ? 0 : Math.max(0, Math.floor(element.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const last = Math.min(shownRows.length, print ? PRINTED
      : first + Math.ceil((element.clientHeight || 400) / ROW_HEIGHT) + 2 * SPARE_ROWS);
    const held = body.contains(document.activeElement) ? document.activeElement : null;
    const focused = held?.closest("tr")?.getAttribute("aria-rowindex");
    body.replaceChildren(
      gap(first), ...shownRows.slice(first, last).map((row, k) => rowOf(row, first + k)),
      gap(print ? 0 : shownRows.length - last));
    const within = held?.matches("input") ? " input" : "";
    if (focused) body.querySelector(`[aria-rowindex="${focused}"]${within}`)?.focus({ preventScroll: true });
  };

  const update = () => {
    shownRows = rows();
    if (sorted !== null) {
      const { value } = columns[sorted];
      shownRows = [...shownRows].sort((a, b) => compare(value(a), value(b), falling));
    }
    table.setAttribute("aria-rowcount", shownRows.length + 1);
    draw();
  };

  /** Mark a row and bring it into sight within the table. */
  const select = (key) => {
    selected = key;
    const place = shownRows.findIndex((row) => row.key === key);
    const top = place * ROW_HEIGHT;
    const outside = top < element.scrollTop
      || top + 2 * ROW_HEIGHT > element.scrollTop + element.clientHeight;
    if (place >= 0 && outside) element.scrollTop = top - element.clientHeight / 2;
    // Rows stay as they are, so that a click on one finds it, also while the film plays.
    body.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
    body.querySelector(`[aria-rowindex="${place + 2}"]`)?.setAttribute("aria-selected", "true");
  };

  let waiting = false;
  element.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  });
  new ResizeObserver(() => draw()).observe(element);
  window.addEventListener("beforeprint", () => draw({ print: true }));
  window.addEventListener("afterprint", () => draw());
  return { element, update, select };
};

/** A list to choose from. @param {Array<[string, string]>} choices value and words */
const makeSelect = (label, choices, onChange) => make(
  "label.pick", {}, `${label} `,
  make("select", { onchange: (event) => onChange(event.target.value) },
    ...choices.map(([value, words]) => make("option", { value }, words))));
