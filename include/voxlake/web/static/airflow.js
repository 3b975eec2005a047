// Airflow shows these pages in a frame that may not navigate the window around it, so that a link with target="_top"
// does nothing there. The page around is of the same origin: a link of its own may.

/** Opens an address of Airflow in the window around this page; false where there is none. */
export function openInAirflow(href) {
  if (window.parent === window) return false;
  const link = window.parent.document.createElement("a");
  link.href = href;
  window.parent.document.body.append(link);
  link.click();
  link.remove();
  return true;
}
