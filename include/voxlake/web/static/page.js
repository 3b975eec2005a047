// What every page does: times in the reader's zone, and links that lead out of the frame into Airflow.
import { openInAirflow } from "./airflow.js";

const local = new Intl.DateTimeFormat("sv-SE", {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit",
});

for (const time of document.querySelectorAll("time[datetime]")) {
  time.textContent = local.format(new Date(time.dateTime));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (link && plain && openInAirflow(link.href)) event.preventDefault();
});
