// Before anything is drawn: the theme that was chosen last, if one was; else the system's, by the style sheet.
(() => {
  try {
    const theme = localStorage.getItem("tinykv.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage is refused: the system's theme it is */ }
})();
