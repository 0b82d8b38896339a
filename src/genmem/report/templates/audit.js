"use strict";

// The data: one row per generated image, by columns, most suspicious first.
const data = JSON.parse(document.getElementById("data").textContent);
const { rows, train, spaces, augmentations } = data;
const total = rows.row.length;
// Without a yardstick flags accuse nobody.
const flaggedWord = data.comparable ? "flagged" : "close";
const allRows = Uint32Array.from({ length: total }, (_, row) => row);

const element = (id) => document.getElementById(id);
const grid = element("grid");
const body = element("rows");
const pattern = element("row").content.firstElementChild;

// The rows shown: indices into the data, in order; and the active one of them.
let shown = allRows;
let active = 0;
let height = 0;
let sorted = { by: "p", descending: false };

// ---- Values of a row

const augmentationOf = (row) => augmentations[rows.augmentation[row]];

const values = {
  p: (row) => rows.p[row],
  q: (row) => rows.q[row],
  distance: (row) => rows.distance[row],
  ratio: (row) => rows.ratio[row],
  flag: (row) => 1 - rows.flagged[row],
  generated: (row) => rows.id[row],
  nearest: (row) => train.id[rows.nearest[row]],
  class: (row) => train.classes[train.class[rows.nearest[row]]],
};

/** 0.0123, 0.0012, 58.3, 1.2 × 10⁻⁷ */
function short(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e4)) {
    return String(Number(value.toPrecision(size < 0.01 ? 2 : 3)));
  }
  const [digits, power] = value.toExponential(1).split("e");
  const raised = [...String(Number(power))].map((digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]));
  return `${digits}\u200a×\u200a10${raised.join("")}`;
}

/** "flipped, in pixels"; without what is obvious. */
function phrase(row) {
  const where = spaces.length > 1 ? `in ${spaces[rows.space[row]]}` : "";
  return [augmentationOf(row).phrase, where].filter(Boolean).join(", ");
}

// ---- Pictures

/** The path of a picture; empty if there is none. */
function picturePath(role, columns, place, kinds = columns.picture, folder = role) {
  const suffix = data.suffixes[kinds[place]];
  const number = String(columns.row[place]).padStart(6, "0");
  return suffix && `${data.folder}/${folder}/${number}${suffix}`;
}

/** The path of the largest picture of an image; empty if there is none. */
function fullPath(role, columns, place) {
  const full = picturePath(role, columns, place, columns.full, `${role}/${data.full}`);
  return full || picturePath(role, columns, place);
}

const generatedPicture = (row) => picturePath("generated", rows, row);
const trainPicture = (image) => picturePath("train", train, image);

/** Start and length of a crop as shares of the side; a crop starts and ends at whole pixels. */
function wholePixels(low, high, side) {
  const length = Math.round((high - low) * side);
  const left = low + 1 - high;
  const start = left > 1e-9 ? Math.floor(((side - length) * low) / left + 1e-9) : 0;
  return [start / side, length / side];
}

/** Put a picture into a frame, augmented like the training image: mirrored, then rotated or cropped. */
function put(frame, source, alternative, augmentation) {
  frame.classList.toggle("missing", !source);
  if (!source) return frame.replaceChildren("no picture");
  const image = document.createElement("img");
  image.alt = alternative;
  image.decoding = "async";
  image.draggable = false;
  frame.replaceChildren(image);
  if (augmentation) {
    const [left, top, right, bottom] = augmentation.box;
    image.addEventListener("load", () => {
      const [x, wide] = wholePixels(left, right, image.naturalWidth);
      const [y, high] = wholePixels(top, bottom, image.naturalHeight);
      image.style.width = `${100 / wide}%`;
      image.style.height = `${100 / high}%`;
      image.style.left = `${(-100 * x) / wide}%`;
      image.style.top = `${(-100 * y) / high}%`;
    });
    image.classList.toggle("mirrored", augmentation.mirrored);
    if (augmentation.degrees) image.style.rotate = `${-augmentation.degrees}deg`;
    if (augmentation.gray) image.style.filter = "grayscale(1)";
  }
  image.src = source;
  return image;
}

// ---- The visible rows; the others have no element

/** Separate folders from the file name, so that a narrow cell cuts the folders first. */
function fillPath(cell, text, more = "") {
  const path = cell.firstElementChild;
  const cut = text.lastIndexOf("/") + 1;
  path.firstElementChild.textContent = text.slice(0, cut);
  path.lastElementChild.textContent = text.slice(cut);
  path.title = text;
  cell.setAttribute("aria-label", [text, more].filter(Boolean).join(", "));
}

function buildRow(place) {
  const row = shown[place];
  const line = pattern.cloneNode(true);
  const cell = (name) => line.querySelector(`.${name}`);
  const image = rows.nearest[row];
  line.id = `row-${place}`;
  line.dataset.place = place;
  line.setAttribute("aria-rowindex", place + 2);
  line.style.transform = `translateY(${place * height}px)`;
  line.classList.toggle("flagged", data.comparable && rows.flagged[row] === 1);
  if (cell("pair")) {
    const [left, right] = cell("pair").children;
    put(left, generatedPicture(row), "");
    put(right, trainPicture(image), "", augmentationOf(row));
  }
  fillPath(cell("generated"), rows.id[row]);
  fillPath(cell("nearest"), train.id[image], phrase(row));
  cell("phrase").textContent = phrase(row);
  if (cell("class")) cell("class").textContent = values.class(row) || "–";
  for (const name of ["distance", "ratio", "p", "q"]) {
    const known = data.comparable || (name !== "p" && name !== "q");
    cell(name).lastElementChild.textContent = known ? short(values[name](row)) : "–";
  }
  cell("flag").textContent = rows.flagged[row] ? flaggedWord : "";
  cell("marked").textContent = markNames[markOf(row)] ?? "";
  mark(line, place === active);
  return line;
}

function mark(line, is) {
  line.classList.toggle("active", is);
  line.setAttribute("aria-selected", String(is));
}

/** Build the visible rows and the active one; remove the others. */
function paint() {
  const over = 6;
  const first = Math.max(0, Math.floor(grid.scrollTop / height) - over);
  const last = Math.min(shown.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + over);
  const kept = new Set();
  for (const line of [...body.children]) {
    const place = Number(line.dataset.place);
    if ((place >= first && place < last) || place === active) kept.add(place);
    else line.remove();
  }
  const places = [];
  for (let place = first; place < last; place++) places.push(place);
  if (active < shown.length && (active < first || active >= last)) places.push(active);
  for (const place of places) if (!kept.has(place)) body.append(buildRow(place));
  if (shown.length) grid.setAttribute("aria-activedescendant", `row-${active}`);
  else grid.removeAttribute("aria-activedescendant");
}

/** Show other rows, or the same in another order: from the top. */
function refresh() {
  active = 0;
  body.replaceChildren();
  grid.scrollTop = 0;
  measure();
  grid.setAttribute("aria-rowcount", shown.length + 1);
  element("none").hidden = shown.length > 0;
  const number = shown.length.toLocaleString("en");
  const all = `${total.toLocaleString("en")} ${total === 1 ? "image" : "images"}`;
  element("count").textContent = shown.length === total ? all : `${number} of ${all}`;
  paint();
}

/** Rows are as high as the style says, which depends on the window and the size of text. */
function measure() {
  const probe = pattern.cloneNode(true);
  body.append(probe);
  height = probe.getBoundingClientRect().height;
  probe.remove();
  body.style.height = `${shown.length * height}px`;
}

function activate(place, { scroll = true } = {}) {
  if (!shown.length) return;
  const before = element(`row-${active}`);
  if (before) mark(before, false);
  active = Math.max(0, Math.min(shown.length - 1, place));
  if (scroll) {
    const above = grid.querySelector(".head").offsetHeight;
    const top = active * height;
    if (top < grid.scrollTop) grid.scrollTop = top;
    else if (top + height + above > grid.scrollTop + grid.clientHeight) {
      grid.scrollTop = top + height + above - grid.clientHeight;
    }
  }
  paint();
  mark(element(`row-${active}`), true);
}

// ---- Order and filters

const words = new Intl.Collator("en", { numeric: true });
const orders = { p: allRows };

/** All rows in ascending order; equal ones as they came. Made once for each column. */
function order(by) {
  if (!orders[by]) {
    const keys = Array.from(allRows, values[by]);
    const textual = typeof keys[0] === "string";
    const compare = (a, b) => {
      if (textual) return words.compare(keys[a], keys[b]);
      return (keys[a] ?? Infinity) - (keys[b] ?? Infinity) || 0;
    };
    orders[by] = Uint32Array.from([...allRows].sort((a, b) => compare(a, b) || a - b));
  }
  return orders[by];
}

function limit(id, otherwise) {
  const field = element(id);
  return field.value.trim() === "" || !field.validity.valid ? otherwise : Number(field.value);
}

function choose() {
  const part = element("find").value.trim().toLowerCase();
  const category = element("class")?.value ?? "";
  const space = element("space")?.value ?? "";
  const flagged = element("flagged").checked;
  const wanted = element("mark").value;
  const [q, from, to] = [limit("q", Infinity), limit("from", -Infinity), limit("to", Infinity)];
  const ordered = order(sorted.by);
  const fits = (row) =>
    (!flagged || rows.flagged[row]) &&
    (wanted === "" || (markOf(row) ?? "none") === wanted) &&
    (space === "" || rows.space[row] === Number(space)) &&
    (category === "" || train.class[rows.nearest[row]] === Number(category)) &&
    (q === Infinity || rows.q[row] <= q) &&
    rows.distance[row] >= from &&
    rows.distance[row] <= to &&
    (!part ||
      rows.id[row].toLowerCase().includes(part) ||
      train.id[rows.nearest[row]].toLowerCase().includes(part));
  shown = ordered.filter(fits);
  if (sorted.descending) shown.reverse();
  refresh();
}

function sortBy(by) {
  sorted = { by, descending: sorted.by === by && !sorted.descending };
  showOrder();
  choose();
}

function showOrder() {
  for (const button of grid.querySelectorAll("[data-sort]")) {
    const direction = sorted.descending ? "descending" : "ascending";
    const state = button.dataset.sort === sorted.by ? direction : "none";
    button.parentElement.setAttribute("aria-sort", state);
  }
}

function clearFilters() {
  for (const field of document.querySelectorAll(".filters input, .filters select")) {
    if (field.type === "checkbox") field.checked = false;
    else field.value = "";
  }
  choose();
}

// ---- What people do

const steps = {
  ArrowDown: () => active + 1,
  ArrowUp: () => active - 1,
  PageDown: () => active + page(),
  PageUp: () => active - page(),
  Home: () => 0,
  End: () => shown.length - 1,
};

const page = () => {
  const seen = grid.clientHeight - grid.querySelector(".head").offsetHeight;
  return Math.max(1, Math.floor(seen / height) - 1);
};

grid.addEventListener("keydown", (event) => {
  if (event.target !== grid || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key in steps) activate(steps[event.key]());
  else if ((event.key === "Enter" || event.key === " ") && shown.length) openPair(active);
  else return;
  event.preventDefault();
});

body.addEventListener("click", (event) => {
  const line = event.target.closest(".row");
  if (!line || !getSelection().isCollapsed) return;
  activate(Number(line.dataset.place), { scroll: false });
  grid.focus({ preventScroll: true });
  openPair(active);
});

grid.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sort]");
  if (button) sortBy(button.dataset.sort);
});

document.querySelector(".filters").addEventListener("input", choose);
element("clear").addEventListener("click", clearFilters);
for (const button of document.querySelectorAll("[data-find]")) {
  button.addEventListener("click", () => {
    clearFilters();
    element("find").value = button.dataset.find;
    element("flagged").checked = true;
    choose();
    element("images").scrollIntoView();
    grid.focus({ preventScroll: true });
  });
}

let waiting = false;
grid.addEventListener(
  "scroll",
  () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      paint();
    });
  },
  { passive: true },
);

new ResizeObserver(() => {
  const place = grid.scrollTop / height;
  const before = height;
  measure();
  if (height !== before) {
    body.replaceChildren();
    grid.scrollTop = place * height;
  }
  paint();
}).observe(grid);

/** Marks are in another script, which comes later and then paints again. */
let marks = new Map();
const markNames = { copy: "a copy", "not-a-copy": "not a copy", unsure: "unsure" };
const markOf = (row) => marks.get(rows.row[row]);

train.classes.forEach((name, place) => {
  element("class")?.append(new Option(name || "no class", place));
});
showOrder();
refresh();
