// ---- One pair, large: both pictures, their difference, and the nearest images of every space

const pair = element("pair");
let opened = 0;
let pairData = null;

/** The nearest images of every space; parsed at the first use. */
function nearestImages() {
  if (!pairData && document.readyState !== "loading") {
    pairData = JSON.parse(element("pairs").textContent);
  }
  return pairData ? pairData.spaces : [];
}

/** The id of a training image in the lists, and its picture. */
function trainImage(place) {
  const [columns, index] =
    place < train.id.length ? [train, place] : [pairData.others, place - train.id.length];
  return { id: columns.id[index], picture: picturePath("train", columns, index) };
}

function openPair(place) {
  showPair(place);
  if (!pair.open) pair.showModal();
  pair.querySelector(".content").focus();
}

function showPair(place) {
  nearestImages();
  opened = place;
  const row = shown[place];
  const [image, augmentation] = [rows.nearest[row], augmentationOf(row)];
  const where = `${(place + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}`;
  element("pair-place").textContent = where;
  element("pair-generated").textContent = rows.id[row];
  element("pair-train").textContent = train.id[image];
  element("pair-facts").replaceChildren(...facts(row));
  element("previous").disabled = place === 0;
  element("next").disabled = place === shown.length - 1;
  if (element("pair-figures")) showPictures(row, image, augmentation);
  element("pair-spaces").replaceChildren(...nearestImages().map((_, place) => spaceTable(place, row)));
  const status = `Pair ${where}: ${rows.id[row]} is matched with ${train.id[image]}`;
  element("pair-status").textContent = status;
  showMark(row);
  const link = `#pair=${rows.row[row] + 1}`;
  element("pair-link").href = link;
  setFragment(link);
}

/** Name the open pair in the page's address, without a new entry in the history. */
function setFragment(fragment) {
  history.replaceState(null, "", fragment || location.pathname + location.search);
}

/** Open the pair that the address names: #pair=ROW, counted from 1. */
function openLinked() {
  const number = Number(/^#pair=(\d+)$/.exec(location.hash)?.[1] ?? 0);
  const row = number ? rows.row.indexOf(number - 1) : -1;
  if (row < 0) return;
  if (!shown.includes(row)) clearFilters();
  const place = shown.indexOf(row);
  activate(place);
  openPair(place);
}

function facts(row) {
  const flag = document.createElement("strong");
  flag.textContent = rows.flagged[row] ? flaggedWord : data.comparable ? "not flagged" : "";
  flag.classList.toggle("flagged", data.comparable && rows.flagged[row] === 1);
  const parts = [
    phrase(row),
    `distance ${short(values.distance(row))}`,
    `d₁/d₂ ${short(values.ratio(row))}`,
    data.comparable && `p ${short(rows.p[row])}`,
    data.comparable && `q ${short(rows.q[row])}`,
    `row ${(rows.row[row] + 1).toLocaleString("en")} of the tables`,
  ];
  return [...(flag.textContent ? [flag] : []), ...parts.filter(Boolean).map((text) => span(text))];
}

function span(text) {
  const node = document.createElement("span");
  node.textContent = text;
  return node;
}

function showPictures(row, image, augmentation) {
  const generated = fullPath("generated", rows, row);
  const training = fullPath("train", train, image);
  const cropped = augmentation.box.join() !== "0,0,1,1";
  const changed = augmentation.phrase !== "";
  view("view-generated", generated, `Generated image ${rows.id[row]}`);
  const name = `Training image ${train.id[image]}`;
  view("view-train", training, changed ? `${name}, ${augmentation.phrase}` : name, augmentation);
  element("view-train-caption").textContent = changed
    ? `Training image, ${augmentation.phrase}`
    : "Training image";
  element("figure-original").hidden = !changed;
  if (changed) view("view-original", training, name);
  const frame = element("view-difference");
  if (!generated || !training) return put(frame, "", "");
  const first = fit(frame, put(frame, generated, "Difference of the two pictures: black where they agree"));
  const layer = document.createElement("div");
  layer.className = "frame layer";
  const second = fit(null, put(layer, training, "", augmentation));
  // A crop was enlarged smoothly before it was compared; so is its picture, and the other.
  for (const picture of [first, second]) picture.classList.toggle("smooth", cropped);
  frame.append(layer);
  const region = pairData?.regions[row];
  if (!region) return;
  outline(element("view-generated"), region[0]);
  outline(element(changed ? "view-original" : "view-train"), region[1]);
}

/** Draw the outline of a region over a picture; its corners are shares of the picture's sides. */
function outline(frame, corners) {
  const drawing = element("outline").content.firstElementChild.cloneNode(true);
  const points = corners.map((corner) => corner.join()).join(" ");
  for (const polygon of drawing.children) polygon.setAttribute("points", points);
  frame.append(drawing);
}

function view(id, source, alternative, augmentation) {
  const image = put(element(id), source, alternative, augmentation);
  if (!source) return;
  fit(element(id), image);
  const link = document.createElement("a");
  [link.href, link.target, link.title] = [source, "_blank", "Open the picture"];
  image.replaceWith(link);
  link.append(image);
}

/** Give the frame its picture's shape, and keep the pixels of small pictures visible. */
function fit(frame, image) {
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: tall } = image;
    if (frame) frame.style.aspectRatio = `${width} / ${tall}`;
    image.classList.toggle("small", Math.max(width, tall) <= 128);
  });
  return image;
}

function spaceTable(number, row) {
  const space = pairData.spaces[number];
  const section = document.createElement("section");
  const heading = document.createElement("h3");
  const telling = spaces.length > 1 && rows.space[row] === number ? ", the strongest evidence" : "";
  heading.textContent = `Nearest in ${spaces[number]}${telling}`;
  const said = document.createElement("p");
  said.className = "facts";
  said.append(
    ...(data.comparable ? [span(`p ${short(space.p[row])}`)] : []),
    span(`${space.statistic} ${short(space.value[row])}`),
    span(`d₁/d₂ ${short(space.ratio[row])}`),
  );
  const list = document.createElement("ol");
  for (let place = row * space.k; place < (row + 1) * space.k; place++) {
    const line = document.createElement("li");
    const near = trainImage(space.train[place]);
    const name = document.createElement("bdi");
    name.textContent = near.id;
    const augmentation = augmentations[space.augmentation[place]];
    const changed = document.createElement("em");
    changed.textContent = augmentation.phrase;
    const who = document.createElement("div");
    who.append(name, changed);
    if (near.picture) {
      const frame = document.createElement("span");
      frame.className = "frame";
      put(frame, near.picture, "", augmentation);
      line.append(frame);
    }
    line.append(who, span(short(space.distance[place])));
    list.append(line);
  }
  section.append(heading, said, list);
  return section;
}

const step = (by) => {
  const next = opened + by;
  if (next < 0 || next >= shown.length) return;
  showPair(next);
  activate(next);
};

pair.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  if (markByKey(event.key)) return event.preventDefault();
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(by);
});
pair.addEventListener("click", (event) => {
  if (event.target === pair) pair.close();
});
pair.addEventListener("close", () => {
  setFragment("");
  grid.focus({ preventScroll: true });
});
element("previous").addEventListener("click", () => step(-1));
element("next").addEventListener("click", () => step(1));
element("close").addEventListener("click", () => pair.close());
for (const button of pair.querySelectorAll("[data-brightness]")) {
  button.addEventListener("click", () => {
    for (const other of pair.querySelectorAll("[data-brightness]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    element("view-difference").style.filter = `brightness(${button.dataset.brightness})`;
  });
}
