// The keys 1 to 5 choose an answer, Enter sends it; and nothing is sent twice.
"use strict";

const form = document.getElementById("rating");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !/^[1-5]$/.test(event.key)) return;
  const answer = form.querySelector(`input[name="value"][value="${event.key}"]`);
  answer.checked = true;
  answer.focus();
  event.preventDefault();
});

form.addEventListener("submit", () => { form.querySelector("button").disabled = true; });
