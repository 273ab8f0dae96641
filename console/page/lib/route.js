// The address after `#`: which part of the page, and what it shows. A link to it opens the same.

import { useEffect, useState } from "./ui.js";

export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return { name: path || "overview", query: Object.fromEntries(new URLSearchParams(query)) };
}

export function routeTo(name, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#/${name === "overview" ? "" : name}${text ? `?${text}` : ""}`;
}

export function go(name, query) {
  location.hash = routeTo(name, query);
}

/** Without an entry in the history: a filter is no place to go back to. */
export function replace(name, query) {
  history.replaceState(null, "", routeTo(name, query));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function useRoute() {
  const [route, setRoute] = useState(parseRoute(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
