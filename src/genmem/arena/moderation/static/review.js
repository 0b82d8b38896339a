// Keyboard of the review page: a letter selects a label, r moves to the reason, n opens the next.
"use strict";

const form = document.getElementById("label-form");
const keys = document.getElementById("keys");
if (form && keys) {
  const next = document.getElementById("next-entry");
  const reason = document.getElementById("reason");
  try { keys.checked = localStorage.getItem("review-keys") !== "off"; } catch { /* no storage */ }
  keys.addEventListener("change", () => {
    try { localStorage.setItem("review-keys", keys.checked ? "on" : "off"); } catch { /* no storage */ }
  });

  document.addEventListener("keydown", (event) => {
    if (!keys.checked || event.altKey || event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form.contains(event.target)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("button[name=next]"));
      return;
    }
    if (event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && event.target === reason) { reason.blur(); return; }
    if (event.target.closest("textarea, select, input:not([type=radio]):not([type=checkbox])")) return;
    const choice = form.querySelector(`input[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (choice) {
      event.preventDefault();
      choice.checked = true;
      choice.focus();
    } else if (event.key === "r") {
      event.preventDefault();
      reason.focus();
    } else if (event.key === "n") {
      event.preventDefault();
      next.click();
    }
  });
}
