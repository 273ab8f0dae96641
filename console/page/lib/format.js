// How values are written. Pure: every function takes what it needs, so that the tests run without a browser.
// Unknown values (null, undefined, NaN) are UNKNOWN, and never 0.

export const UNKNOWN = "–";

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

const made = new Map();

/** Making an Intl formatter costs a hundred times what using one costs. */
function cached(kind, locale, options) {
  const key = `${kind.name} ${locale} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new kind(locale, options));
  return made.get(key);
}

export const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

const digits = (value, most, locale) => cached(Intl.NumberFormat, locale, { maximumFractionDigits: most }).format(value);

/** A whole number with its thousands grouped. */
export const count = (value, locale) => (known(value) ? digits(value, 0, locale) : UNKNOWN);

/** A whole number where space is short: 12.4K. */
export const compact = (value, locale) =>
  known(value)
    ? cached(Intl.NumberFormat, locale, { notation: "compact", maximumFractionDigits: 1 }).format(value)
    : UNKNOWN;

/** A number per second: three significant digits at most, and never "0" for something that moves. */
export function rate(value, locale) {
  if (!known(value)) return UNKNOWN;
  if (value > 0 && value < 0.01) return `<${digits(0.01, 2, locale)}`;
  if (value >= 100_000) return compact(value, locale);
  return digits(value, value < 10 ? 2 : value < 100 ? 1 : 0, locale);
}

/** With a sign that reads as a minus, for a difference. */
export const signed = (value, locale) =>
  known(value) ? cached(Intl.NumberFormat, locale, { signDisplay: "exceptZero" }).format(value) : UNKNOWN;

const ratio = (value, most, locale) =>
  cached(Intl.NumberFormat, locale, { style: "percent", maximumFractionDigits: most }).format(value);

/** A share. What is there is never written as nothing, and what is missing never as everything. */
export function percent(part, whole, locale) {
  if (!known(part) || !known(whole) || whole <= 0) return UNKNOWN;
  const share = part / whole;
  if (share > 0 && share < 0.001) return `<${ratio(0.001, 1, locale)}`;
  if (share < 1 && share >= 0.995) return `>${ratio(0.99, 0, locale)}`;
  return ratio(share, share < 0.1 ? 1 : 0, locale);
}

/** A number and its unit, apart, so that a view can write the unit small. */
function unit(value, name, most, locale) {
  const options = { style: "unit", unit: name, unitDisplay: "narrow", maximumFractionDigits: most };
  const parts = cached(Intl.NumberFormat, locale, options).formatToParts(value);
  const isUnit = ({ type }) => type === "unit";
  const text = (some) => some.map((part) => part.value).join("").trim();
  return { value: text(parts.filter((part) => !isUnit(part))), unit: text(parts.filter(isUnit)) };
}

/** A length of time as one or two numbers with their units; empty if it is unknown. */
export function durationParts(seconds, locale) {
  if (!known(seconds)) return [];
  if (seconds <= 0) return [unit(0, "second", 0, locale)];
  if (seconds < 0.9995) return [unit(Math.max(1, seconds * 1000), "millisecond", 0, locale)];
  if (seconds < 10) return [unit(seconds, "second", 2, locale)];
  if (seconds < MINUTE) return [unit(Math.floor(seconds * 10) / 10, "second", 1, locale)];
  const [big, bigName, small, smallName] =
    seconds < HOUR
      ? [MINUTE, "minute", 1, "second"]
      : seconds < DAY
        ? [HOUR, "hour", MINUTE, "minute"]
        : [DAY, "day", HOUR, "hour"];
  const rest = Math.floor((seconds % big) / small);
  const first = unit(Math.floor(seconds / big), bigName, 0, locale);
  return rest ? [first, unit(rest, smallName, 0, locale)] : [first];
}

/** The same as text: 245 ms, 1.24 s, 4 m 12 s, 3 h 12 m, 2 d 4 h. */
export function duration(seconds, locale) {
  const parts = durationParts(seconds, locale);
  return parts.length ? parts.map((part) => `${part.value}\u202f${part.unit}`).join(" ") : UNKNOWN;
}

/** The same in whole seconds: an age that counts up must not flicker between milliseconds. */
export const age = (seconds, locale) => (known(seconds) ? duration(Math.max(0, Math.floor(seconds)), locale) : UNKNOWN);

export const ago = (seconds, locale) =>
  known(seconds) ? (seconds < 1 ? "now" : `${age(seconds, locale)} ago`) : UNKNOWN;

const when = (value) => {
  const at = value === null || value === undefined ? Number.NaN : new Date(value).getTime();
  return Number.isNaN(at) ? null : at;
};

/** The time of day, to the second. */
export function clock(value, locale, timeZone) {
  const at = when(value);
  return at === null ? UNKNOWN : cached(Intl.DateTimeFormat, locale, { timeStyle: "medium", timeZone }).format(at);
}

/** Date and time, to the second. */
export function moment(value, locale, timeZone) {
  const at = when(value);
  if (at === null) return UNKNOWN;
  return cached(Intl.DateTimeFormat, locale, { dateStyle: "medium", timeStyle: "medium", timeZone }).format(at);
}

/** The time alone where it is of the last twelve hours; else with its date. */
export function nearby(value, now, locale, timeZone) {
  const at = when(value);
  if (at === null) return UNKNOWN;
  return Math.abs(now - at) < 12 * HOUR * 1000 ? clock(at, locale, timeZone) : moment(at, locale, timeZone);
}

/** Seconds from a time until now; null if there is no time. */
export function secondsSince(value, now) {
  const at = when(value);
  return at === null ? null : (now - at) / 1000;
}

/** The start of a row of counts, as exact as its step. */
export function bucket(value, step, locale, timeZone) {
  const at = when(value);
  if (at === null) return UNKNOWN;
  const options = {
    minute: { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" },
    hour: { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" },
    day: { weekday: "short", year: "numeric", month: "short", day: "numeric" },
    week: { year: "numeric", month: "short", day: "numeric" },
    month: { year: "numeric", month: "long" },
  }[step];
  return cached(Intl.DateTimeFormat, locale, { ...options, timeZone }).format(at);
}

/** "1 partition", "2 partitions". */
export const plural = (number, one, many, locale) => `${count(number, locale)} ${number === 1 ? one : many}`;
