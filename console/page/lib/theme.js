// Light, dark, or as the system is. The choice is kept in this browser; it is no secret.

const KEY = "tallymill.theme";
export const THEMES = ["system", "light", "dark"];

const dark = () => matchMedia("(prefers-color-scheme: dark)");

export function chosenTheme() {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.includes(kept) ? kept : "system";
  } catch {
    return "system"; // storage is off
  }
}

export function applyTheme(theme) {
  const shown = theme === "system" ? (dark().matches ? "dark" : "light") : theme;
  document.documentElement.dataset.theme = shown;
  document.dispatchEvent(new CustomEvent("themechange"));
}

export function chooseTheme(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds for this visit.
  }
  applyTheme(theme);
}

export function followSystem() {
  dark().addEventListener("change", () => applyTheme(chosenTheme()));
}
