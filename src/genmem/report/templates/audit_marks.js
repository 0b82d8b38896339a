// ---- Reviewers' marks: kept in this browser, exported and imported as a file

const KIND = "genmem audit marks";
const KEY = `genmem-marks-${data.digest}`;
const keys = { 1: "copy", 2: "not-a-copy", 3: "unsure" };
const flaggedRows = rows.row.filter((_, place) => rows.flagged[place]);

/** The marks of a document, by row; throws a text for the reader. */
function readMarks(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    throw "This file holds no marks: expected JSON.";
  }
  if (document?.kind !== KIND) throw "This file holds no marks of an audit.";
  if (document.audit !== data.digest) throw "These marks belong to another audit.";
  const fits = ({ row, mark }) => Number.isInteger(row) && mark in markNames;
  if (!Array.isArray(document.marks) || !document.marks.every(fits)) {
    throw "The marks in this file are damaged.";
  }
  return new Map(document.marks.map(({ row, mark }) => [row, mark]));
}

function writeMarks() {
  const places = new Map(rows.row.map((row, place) => [row, place]));
  const entries = [...marks].sort(([a], [b]) => a - b).map(([row, mark]) => {
    const place = places.get(row);
    const names = place === undefined ? {} : { generated: rows.id[place], train: train.id[rows.nearest[place]] };
    return { row, mark, ...names };
  });
  return JSON.stringify({ kind: KIND, audit: data.digest, marks: entries }, null, 1) + "\n";
}

function store() {
  try {
    if (marks.size) localStorage.setItem(KEY, writeMarks());
    else localStorage.removeItem(KEY);
  } catch {
    element("marks-status").textContent = "This browser does not keep the marks: export them.";
  }
}

/** Give a pair a mark, or take it away if it has that mark already. */
function setMark(row, mark) {
  const number = rows.row[row];
  if (marks.get(number) === mark) marks.delete(number);
  else marks.set(number, mark);
  store();
  showMarks();
  showMark(row);
}

function markByKey(key) {
  if (!(key in keys)) return false;
  setMark(shown[opened], keys[key]);
  return true;
}

/** Show the mark of the open pair on its buttons. */
function showMark(row) {
  for (const button of pair.querySelectorAll("[data-mark]")) {
    button.setAttribute("aria-pressed", String(markOf(row) === button.dataset.mark));
  }
}

/** Show all marks: in the rows, in the printed pairs, and as the reviewed rate. */
function showMarks() {
  body.replaceChildren();
  paint();
  for (const line of document.querySelectorAll("[data-printed]")) {
    line.textContent = markNames[marks.get(Number(line.dataset.printed))] ?? "";
  }
  element("review").textContent = reviewed();
  element("printed-review").textContent = reviewed();
  element("export").disabled = marks.size === 0;
}

/** The reviewed share of false flags with its exact interval, as `genmem report --marks` says it. */
function reviewed() {
  const count = { copy: 0, "not-a-copy": 0, unsure: 0 };
  for (const row of flaggedRows) if (marks.has(row)) count[marks.get(row)]++;
  const { copy: copies, "not-a-copy": none, unsure } = count;
  const total = copies + none + unsure;
  const others = marks.size - total;
  const beside = others ? ` ${others.toLocaleString("en")} marked without a flag.` : "";
  if (!total) {
    const some = flaggedRows.length ? `None of the ${flaggedWord} pairs is marked.` : "";
    return `${some}${beside}`.trim();
  }
  const decided = copies + none;
  const rate = decided ? `: ${percent(none / decided)}` : "";
  const [low] = clopperPearson(none, total);
  const [, high] = clopperPearson(none + unsure, total);
  const whole =
    total === flaggedRows.length
      ? ""
      : ` It holds for the other ${flaggedWord} pairs only if those to mark were chosen at random.`;
  return (
    `Marked: ${total.toLocaleString("en")} of ${flaggedRows.length.toLocaleString("en")} ${flaggedWord} ` +
    `(${copies} ${copies === 1 ? "copy" : "copies"}, ${none} not, ${unsure} unsure). Reviewed share of false flags${rate} ` +
    `(95 % interval: ${percent(low)} to ${percent(high)}).${whole}${beside}`
  );
}

/** As `genmem.formatting.share` writes it. */
function percent(share) {
  const value = 100 * share;
  if (value === 0 || value === 100) return `${value} %`;
  if (value < 0.01) return "under 0.01 %";
  if (value > 99.99) return "over 99.99 %";
  return `${value.toFixed(value < 1 || value > 99 ? 2 : 1)} %`;
}

/** Clopper and Pearson 1934: the shares that neither one-sided binomial test rejects at 2.5 %. */
function clopperPearson(count, total) {
  const solve = (tail) => {
    let [low, high] = [0, 1];
    for (let step = 0; step < 60; step++) {
      const middle = (low + high) / 2;
      if (tail(middle) < 0.025) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  };
  // P(X ≥ count) grows with the share; P(X ≤ count) falls, so it is solved for 1 − share.
  const low = count ? solve((share) => binomialTail(count, total, share)) : 0;
  const high = count < total ? 1 - solve((rest) => binomialTail(total - count, total, rest)) : 1;
  return [low, high];
}

/** P(X ≥ count) of Binomial(total, share). */
function binomialTail(count, total, share) {
  if (share <= 0) return count ? 0 : 1;
  if (share >= 1) return 1;
  let logarithm = total * Math.log(1 - share);
  let sum = count === 0 ? Math.exp(logarithm) : 0;
  for (let k = 1; k <= total; k++) {
    logarithm += Math.log((total - k + 1) / k) + Math.log(share / (1 - share));
    if (k >= count) sum += Math.exp(logarithm);
  }
  return sum;
}

// ---- What people do

for (const button of pair.querySelectorAll("[data-mark]")) {
  button.addEventListener("click", () => setMark(shown[opened], button.dataset.mark));
}

element("export").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([writeMarks()], { type: "application/json" }));
  link.download = `marks-${data.digest.slice(0, 8)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});

element("import").addEventListener("click", () => element("import-file").click());
element("import-file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  try {
    const imported = readMarks(await file.text());
    for (const [row, mark] of imported) marks.set(row, mark);
    store();
    showMarks();
    const how = imported.size === 1 ? "1 mark" : `${imported.size.toLocaleString("en")} marks`;
    element("marks-status").textContent = `Imported ${how}.`;
  } catch (problem) {
    element("marks-status").textContent = String(problem);
  }
  event.target.value = "";
});

try {
  marks = readMarks(localStorage.getItem(KEY) ?? "");
} catch {
  // none yet
}
showMarks();
addEventListener("hashchange", openLinked);
if (document.readyState === "loading") addEventListener("DOMContentLoaded", openLinked);
else openLinked();
