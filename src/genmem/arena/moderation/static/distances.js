// Preview the leaderboard at another τ: as τ moves, the server ranks all teams.
"use strict";

const form = document.getElementById("threshold");
if (form) {
  const range = document.getElementById("tau-range");
  const number = document.getElementById("tau");
  const topSelect = document.getElementById("top");
  const line = document.getElementById("tau-line");
  const preview = document.getElementById("preview");
  const status = document.getElementById("preview-status");
  const end = Number(form.querySelector("svg[data-end]").dataset.end);
  let loading = false;
  let outdated = false;
  let statusTimer = 0;

  const load = async () => {
    if (loading) { outdated = true; return; }
    loading = true;
    preview.setAttribute("aria-busy", "true");
    do {
      outdated = false;
      const query = new URLSearchParams({ tau: number.value, top: topSelect.value });
      try {
        const response = await fetch(`${form.dataset.preview}?${query}`);
        if (response.ok && !response.redirected) preview.innerHTML = await response.text();
      } catch { /* no connection: keep the page as it is */ }
    } while (outdated);
    loading = false;
    preview.removeAttribute("aria-busy");
    clearTimeout(statusTimer);
    statusTimer = setTimeout(() => {
      status.textContent = preview.querySelector("[data-summary]").textContent;
    }, 600);
  };

  const setTau = (text) => {
    const tau = Number(text);
    if (!(tau > 0 && tau <= 1)) return;
    number.value = text;
    range.value = tau;
    const position = `${100 * Math.min(1, tau / end)}%`;
    line.setAttribute("x1", position);
    line.setAttribute("x2", position);
    const apply = document.getElementById("apply");
    if (apply) {
      apply.elements.tau.value = text;
      document.getElementById("tau-applied").textContent = Number(tau.toFixed(4));
    }
    load();
  };

  range.addEventListener("input", () => setTau(range.value));
  number.addEventListener("input", () => setTau(number.value));
  topSelect.addEventListener("change", load);
  form.addEventListener("submit", (event) => { event.preventDefault(); setTau(number.value); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-tau]");
    if (button) setTau(button.dataset.tau);
  });
}
