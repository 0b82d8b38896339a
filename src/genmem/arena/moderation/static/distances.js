// As τ moves, the server ranks the whole board anew, and what it says is shown.
"use strict";

const tune = document.getElementById("tune");
if (tune) {
  const range = document.getElementById("tau-range");
  const number = document.getElementById("tau");
  const topSelect = document.getElementById("top");
  const line = document.getElementById("tau-line");
  const shown = document.getElementById("moves");
  const said = document.getElementById("moved");
  const end = Number(tune.querySelector("svg[data-end]").dataset.end);
  let asked = null;
  let waiting = false;
  let speak = 0;

  const show = async () => {
    if (asked) { waiting = true; return; }
    do {
      waiting = false;
      asked = number.value;
      const query = new URLSearchParams({ tau: asked, top: topSelect.value });
      shown.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(`${tune.dataset.moves}?${query}`);
        if (answer.ok && !answer.redirected) shown.innerHTML = await answer.text();
      } catch { /* the server is away for a moment; the page stays as it is */ }
      asked = null;
    } while (waiting);
    shown.removeAttribute("aria-busy");
    clearTimeout(speak);
    speak = setTimeout(() => { said.textContent = shown.querySelector("[data-summary]").textContent; }, 600);
  };

  const set = (text) => {
    const tau = Number(text);
    if (!(tau > 0 && tau <= 1)) return;
    number.value = text;
    range.value = tau;
    const place = `${100 * Math.min(1, tau / end)}%`;
    line.setAttribute("x1", place);
    line.setAttribute("x2", place);
    const form = document.getElementById("apply");
    if (form) {
      form.elements.tau.value = text;
      document.getElementById("tau-applied").textContent = Number(tau.toFixed(4));
    }
    show();
  };

  range.addEventListener("input", () => set(range.value));
  number.addEventListener("input", () => set(number.value));
  topSelect.addEventListener("change", show);
  tune.addEventListener("submit", (event) => { event.preventDefault(); set(number.value); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-tau]");
    if (button) set(button.dataset.tau);
  });
}
