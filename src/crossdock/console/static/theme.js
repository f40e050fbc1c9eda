// Runs before the first paint: the chosen theme and whether technical detail is shown, as this browser last had them.
"use strict";
(function () {
  const root = document.documentElement;
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("technical") === "1") root.classList.add("technical");
  } catch (blocked) {
    root.dataset.kept = "no"; // storage is switched off: everything works, nothing lasts
  }
})();
