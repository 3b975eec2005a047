// Light or dark: as Airflow's own page around this one has it, at once when it changes; else as the system has it.
// Not a module, so that it is done before the page is painted.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");

  function airflow() {
    // A page of another origin around this one is not to be looked into; the policy of the page allows none either.
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null;
    }
  }

  function apply() {
    const around = airflow()?.classList;
    const dark = around?.contains("dark") || (!around?.contains("light") && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }

  apply();
  system.addEventListener("change", apply);
  const around = airflow();
  if (around) new MutationObserver(apply).observe(around, { attributeFilter: ["class"] });
})();
