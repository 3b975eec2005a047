// The form of the search: days of the reader's own zone, and addresses without what was not filled in.
const form = document.querySelector("form.filters");
const zone = form.elements.tz;

if (!zone.value) {
  zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.getElementById("zone").textContent = zone.value;
}

function waiting(is) {
  const results = document.getElementById("results-section");
  if (!results) return;
  results.setAttribute("aria-busy", String(is));
  document.getElementById("loading").hidden = !is;
}

form.addEventListener("submit", () => {
  const empty = [...form.elements].filter((field) => field.name && !field.value);
  for (const field of empty) field.disabled = true;
  waiting(true);
  // They are left out of what is sent now; the form stays as it is for who comes back to it.
  setTimeout(() => empty.forEach((field) => { field.disabled = false; }));
});

for (const link of document.querySelectorAll(".found thead a, .pages a")) {
  link.addEventListener("click", (event) => {
    if (!event.metaKey && !event.ctrlKey && !event.shiftKey) waiting(true);
  });
}

// A page that the browser kept, and shows again.
window.addEventListener("pageshow", () => waiting(false));
