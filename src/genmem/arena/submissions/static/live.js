// While something is under way, fetch the page again every few seconds and show what changed.
"use strict";

const PAUSE = 3000;

async function refresh() {
  const shown = document.getElementById("live");
  if (!shown || !("live" in shown.dataset)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok && !answer.redirected) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("live");
      if (fresh && fresh.innerHTML !== shown.dataset.last) {
        const open = [...shown.querySelectorAll("details")].map((one) => one.open);
        fresh.dataset.last = fresh.innerHTML;
        shown.replaceWith(fresh);
        fresh.querySelectorAll("details").forEach((one, i) => { one.open ||= Boolean(open[i]); });
      }
    }
  } catch { /* the server is away for a moment; the page stays as it is */ }
  setTimeout(refresh, PAUSE);
}

setTimeout(refresh, PAUSE);
