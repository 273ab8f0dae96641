// From /v1/counts to a chart and its tables. All but `load` is pure.

import { request } from "./api.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What can be chosen. `live`: short enough to be asked for again while one looks. */
export const RANGES = [
  ["5m", "5 minutes", 5 * MINUTE],
  ["15m", "15 minutes", 15 * MINUTE],
  ["1h", "1 hour", HOUR],
  ["6h", "6 hours", 6 * HOUR],
  ["24h", "24 hours", DAY],
  ["7d", "7 days", 7 * DAY],
  ["30d", "30 days", 30 * DAY],
  ["90d", "90 days", 90 * DAY],
  ["400d", "400 days", 400 * DAY],
];
export const STEPS = ["minute", "hour", "day", "week", "month"];

const PAGES = 6;
const ROWS = 10_000;

export const rangeMillis = (range) => (RANGES.find(([name]) => name === range) ?? RANGES[4])[2];

/** The finest step that keeps a line readable. */
export function stepFor(range) {
  const millis = rangeMillis(range);
  return millis <= 6 * HOUR ? "minute" : millis <= 7 * DAY ? "hour" : millis <= 90 * DAY ? "day" : "week";
}

/** Steps whose number of points is between two and what a page has room for. */
export function stepsFor(range) {
  const length = { minute: MINUTE, hour: HOUR, day: DAY, week: 7 * DAY, month: 30 * DAY };
  return STEPS.filter((step) => rangeMillis(range) / length[step] >= 2 && rangeMillis(range) / length[step] <= 1_500);
}

/** From the start of a minute, so that the whole range is whole minutes. */
export function bounds(range, now) {
  const to = Math.ceil(now / MINUTE) * MINUTE;
  return { from: to - rangeMillis(range), to };
}

/** All pages, or the first ones with `more: true`. */
export async function load(parameters, signal) {
  const rows = [];
  let pageToken;
  let asOf = null;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await request("/v1/counts", { parameters: { ...parameters, limit: ROWS, pageToken }, signal });
    if (answer.problem) return { ...answer, rows, more: false };
    rows.push(...answer.body.rows);
    asOf ??= answer.body.asOf ?? null;
    pageToken = answer.body.nextPageToken;
    if (!pageToken) break;
  }
  return { status: 200, problem: null, rows, asOf, more: Boolean(pageToken) };
}

/** The times of a chart: every step of a range, where steps are of one length; else those that rows have. */
function axisOf(rows, step, { from, to }) {
  const there = new Set(rows.map((row) => Date.parse(row.at)));
  const length = { minute: MINUTE, hour: HOUR }[step];
  if (length) {
    for (let at = Math.floor(from / length) * length; at < to; at += length) {
      // In a zone half an hour off, an hour of the answer starts at another minute than ours.
      if (step === "minute" || there.size === 0 || there.has(at)) there.add(at);
      else if (![...there].some((one) => one % HOUR !== 0)) there.add(at);
    }
  }
  return [...there].sort((a, b) => a - b);
}

/**
 * `{axis (ms), events: [{event, total, values}]}`, the largest event first. A step without a count is 0: the console
 * has no row for it.
 */
export function arrange(rows, step, range) {
  const axis = axisOf(rows, step, range);
  const index = new Map(axis.map((at, place) => [at, place]));
  const events = new Map();
  for (const { at, event, count } of rows) {
    if (!events.has(event)) events.set(event, { event, total: 0, values: new Array(axis.length).fill(0) });
    const one = events.get(event);
    one.total += count;
    one.values[index.get(Date.parse(at))] += count;
  }
  const order = [...events.values()].sort((a, b) => b.total - a.total || a.event.localeCompare(b.event));
  return { axis, events: order, total: order.reduce((sum, one) => sum + one.total, 0) };
}

/** The events that have a line of their own, and all others as one. */
export function lines({ axis, events }, most) {
  if (events.length <= most) return events;
  const rest = events.slice(most - 1);
  const values = axis.map((_, at) => rest.reduce((sum, one) => sum + one.values[at], 0));
  const others = { event: null, others: rest.length, total: rest.reduce((sum, one) => sum + one.total, 0), values };
  return [...events.slice(0, most - 1), others];
}
