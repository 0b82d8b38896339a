// Sends a submission piece by piece (tus 1.0), so that a broken connection, a closed laptop or a
// reload of the page costs nothing. Without this script the form sends the file as forms do.
"use strict";

const PIECE = 8 * 2 ** 20;
const LARGEST_HASHED = 256 * 2 ** 20; // crypto.subtle wants all of it in memory at once
const LONGEST_PAUSE = 30; // seconds between two attempts
const TUS = { "Tus-Resumable": "1.0.0" };

const form = document.getElementById("submit");
const panel = document.getElementById("sending");
const shown = (name) => panel.querySelector(`[data-${name}]`);

let run = null; // the upload under way: { file, kind, sha256, key, address, offset, paused, ... }

class Refused extends Error {
  constructor(status, text) {
    super(text || `The server answered ${status}.`);
    this.status = status;
  }
}

// what is remembered

function keyOf(file, kind) {
  return `upload ${form.dataset.uploads} ${kind} ${file.name} ${file.size} ${file.lastModified}`;
}

function remembered(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

function remember(key, value) {
  try {
    if (value) localStorage.setItem(key, JSON.stringify(value));
    else localStorage.removeItem(key);
  } catch { /* no storage in this browser: a reload begins anew */ }
}

function allRemembered() {
  const start = `upload ${form.dataset.uploads} `;
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(start));
  } catch {
    return [];
  }
}

// speaking to the server

function ask(method, address, headers, body = null) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    const secret = form.querySelector("[name=csrfmiddlewaretoken]").value;
    const all = { ...TUS, "X-CSRFToken": secret, ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.onload = () => {
      if (request.status < 300) resolve((name) => request.getResponseHeader(name));
      else if (request.status >= 500 && request.status !== 507) reject(new Error("broken"));
      else reject(new Refused(request.status, plain(request)));
    };
    request.onerror = request.onabort = request.ontimeout = () => reject(new Error("broken"));
    if (body) {
      request.upload.onprogress = (event) => progress(run.offset + event.loaded);
      run.request = request;
    }
    request.send(body);
  });
}

function plain(request) {
  const text = (request.getResponseHeader("Content-Type") || "").startsWith("text/plain");
  if (text) return request.responseText;
  return request.status === 403 ? "Load the page again: the form expired." : "";
}

const inBase64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

async function begin() {
  const told = { filename: run.file.name, kind: run.kind, sha256: run.sha256 };
  const pairs = Object.entries(told).filter(([, text]) => text);
  const answer = await ask("POST", form.dataset.uploads, {
    "Upload-Length": String(run.file.size),
    "Upload-Metadata": pairs.map(([name, text]) => `${name} ${inBase64(text)}`).join(","),
  });
  run.address = answer("Location");
  run.offset = 0;
  remember(run.key, { address: run.address, sha256: run.sha256, name: run.file.name });
}

async function lookUp() {
  try {
    const answer = await ask("HEAD", run.address, {});
    run.offset = Number(answer("Upload-Offset"));
    run.done = answer("Submission-Location");
  } catch (error) {
    if (![404, 410].includes(error.status)) throw error;
    remember(run.key, null); // it waited too long: begin anew
    run.address = null;
  }
}

async function sendPiece() {
  const piece = run.file.slice(run.offset, run.offset + PIECE);
  const headers = {
    "Content-Type": "application/offset+octet-stream",
    "Upload-Offset": String(run.offset),
  };
  if (!run.sha256 && crypto.subtle) {
    headers["Upload-Checksum"] = `sha256 ${inBytes(await digest(piece))}`;
  }
  const answer = await ask("PATCH", run.address, headers, piece);
  run.offset = Number(answer("Upload-Offset"));
  run.done = answer("Submission-Location");
}

const digest = async (blob) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));
const inBytes = (bytes) => btoa(String.fromCharCode(...bytes));
const inHex = (bytes) => [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");

// one upload, from its beginning or from where it got to

async function go() {
  let pause = 1;
  let unsure = Boolean(run.address);
  while (!run.done && !run.paused) {
    try {
      if (run.address && unsure) await lookUp();
      if (!run.address) await begin();
      unsure = false;
      progress(run.offset);
      say("Sending");
      while (!run.done && !run.paused) {
        await sendPiece();
        pause = 1;
      }
    } catch (error) {
      if (run.paused) return;
      unsure = true;
      if (error.status === 409 || error.status === 460) continue;
      if (error instanceof Refused) return refused(error);
      if (!(await readable())) return complain("The file changed or is gone. Choose it again.");
      say(`The connection broke; trying again in ${pause} s`);
      await patience(pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }
  if (run.done) {
    remember(run.key, null);
    say("Received");
    location.assign(run.done);
  }
}

function patience(seconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

async function readable() {
  try {
    await run.file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

function refused(error) {
  if (error.status !== 401 && error.status !== 429) remember(run.key, null);
  if (error.status === 401) complain("Sign in again in another window, then press Send.");
  else complain(error.message);
}

// what is seen

function size(bytes) {
  const unit = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  return `${(bytes / unit[1]).toFixed(bytes >= 1e6 ? 1 : 0)} ${unit[0]}`;
}

function span(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function progress(at) {
  const now = performance.now();
  run.marks = [...run.marks.filter((mark) => now - mark.now < 8000), { now, at }];
  const first = run.marks[0];
  const rate = now - first.now > 500 ? (at - first.at) / ((now - first.now) / 1000) : 0;
  const parts = [`${size(at)} of ${size(run.file.size)}`];
  if (rate > 0) parts.push(`${size(rate)}/s`, `${span((run.file.size - at) / rate)} left`);
  shown("bar").value = run.file.size ? at / run.file.size : 0;
  shown("numbers").textContent = parts.join(", ");
}

function say(text) {
  if (shown("state").textContent !== text) shown("state").textContent = text;
}

function complain(text) {
  panel.hidden = true;
  const box = document.getElementById("trouble");
  box.textContent = text;
  box.hidden = false;
  lock(false);
}

function lock(busy) {
  for (const one of form.querySelectorAll("input, :scope > .actions button")) one.disabled = busy;
}

// beginning, pausing, going on

async function hash(file, typed) {
  if (typed) return typed;
  const why = !crypto.subtle ? "this page is not served over https"
    : file.size > LARGEST_HASHED ? `it is larger than ${size(LARGEST_HASHED)}` : "";
  if (why) {
    shown("hash").textContent = `The file’s SHA-256 is not computed here, since ${why}` +
      (crypto.subtle ? "; each piece is checked instead." : "; type it to have the file checked.");
    return "";
  }
  say("Computing the SHA-256");
  const found = inHex(await digest(file));
  shown("hash").textContent = `SHA-256 ${found}`;
  return found;
}

async function send(event) {
  const file = form.elements.file.files[0];
  if (!file || event.defaultPrevented) return;
  event.preventDefault();
  const kind = form.elements.kind.value;
  document.getElementById("trouble").hidden = true;
  if (file.size > Number(form.dataset.most)) {
    complain(`The file has ${size(file.size)}; the limit is ${form.dataset.mostShown}.`);
    return;
  }
  const key = keyOf(file, kind);
  const before = remembered(key);
  const typed = form.elements.sha256.value.trim().toLowerCase();
  run = { file, kind, key, offset: 0, marks: [], paused: false, done: null };
  run.address = before && (!typed || typed === before.sha256) ? before.address : null;
  panel.hidden = false;
  shown("pause").textContent = "Pause";
  lock(true);
  progress(0);
  try {
    run.sha256 = run.address ? before.sha256 : await hash(file, typed);
  } catch {
    complain("The file cannot be read. Choose it again.");
    return;
  }
  await go();
}

function pauseOrContinue() {
  run.paused = !run.paused;
  shown("pause").textContent = run.paused ? "Continue" : "Pause";
  if (run.paused) {
    run.request?.abort();
    say("Paused");
  } else {
    run.marks = [];
    go();
  }
}

async function discard() {
  run.paused = true;
  run.request?.abort();
  remember(run.key, null);
  if (run.address) await ask("DELETE", run.address, {}).catch(() => { /* it expires by itself */ });
  panel.hidden = true;
  lock(false);
}

function offer() {
  const names = allRemembered().map((key) => remembered(key)?.name).filter(Boolean);
  if (!names.length) return;
  const note = document.getElementById("unfinished");
  note.textContent = `Not yet sent in full: ${names.join(", ")}. Choose the same file again, and it goes on where it stopped.`;
  note.hidden = false;
}

form?.addEventListener("submit", send);
panel?.querySelector("[data-pause]").addEventListener("click", pauseOrContinue);
panel?.querySelector("[data-discard]").addEventListener("click", discard);
if (form) offer();
