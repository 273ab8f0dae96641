// From /v1/counts to a chart and its tables. All but `load` is pure.

import { request } from "./api.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

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
const LENGTHS = { minute: MINUTE, hour: HOUR, day: DAY, week: 7 * DAY, month: 31 * DAY };

/** Events with a line of their own. All others are one line: the console sums them as `(other)`. */
export const TOP = 6;
export const OTHER = "(other)";

/** The console's own bound, unless it is changed (console.max_range_days). */
const LONGEST = 400 * DAY;

const MOST_POINTS = 1_400;
const PAGES = 5;
const ROWS = 10_000;

const rangeOf = (range) => RANGES.find(([name]) => name === range) ?? RANGES[4];
export const rangeMillis = (range) => rangeOf(range)[2];
export const rangeWords = (range) => rangeOf(range)[1];

/** The finest step that keeps a line readable. */
export function stepFor(range) {
  const millis = rangeMillis(range);
  return millis <= 6 * HOUR ? "minute" : millis <= 7 * DAY ? "hour" : millis <= 90 * DAY ? "day" : "week";
}

/** The steps of which a range has at least two, and no more than the page has room for. */
export const stepsFor = (range) =>
  Object.keys(LENGTHS).filter((step) => {
    const points = rangeMillis(range) / LENGTHS[step];
    return points >= 2 && points <= MOST_POINTS;
  });

/** Where the step begins that contains a time, in the viewer's zone. */
export function startOf(step, millis) {
  const at = new Date(millis);
  at.setSeconds(0, 0);
  if (step !== "minute") at.setMinutes(0);
  if (step === "day" || step === "week" || step === "month") at.setHours(0);
  if (step === "week") at.setDate(at.getDate() - ((at.getDay() + 6) % 7));
  if (step === "month") at.setDate(1);
  return at.getTime();
}

/** Whole steps, up to now: the first point of a line is as full as the others. The longest range has a step less. */
export function bounds(range, step, now) {
  const to = Math.ceil(now / MINUTE) * MINUTE;
  const from = startOf(step, to - rangeMillis(range));
  return { from: to - from <= LONGEST ? from : startOf(step, to - LONGEST + LENGTHS[step]), to };
}

async function pages(parameters, signal) {
  const rows = [];
  let pageToken;
  for (let page = 0; page < PAGES; page += 1) {
    const answer = await request("/v1/counts", { parameters: { ...parameters, pageToken }, signal });
    if (answer.problem) return answer;
    rows.push(...answer.body.rows);
    pageToken = answer.body.nextPageToken;
    if (!pageToken) return { status: 200, rows, asOf: answer.body.asOf, more: false };
  }
  return { status: 200, rows, more: true };
}

/** Of one event: its line. Of all: the lines of the largest, and the total of each. */
export async function load({ source, app, event, step, range, zone }, now, signal) {
  const { from, to } = bounds(range, step, now);
  const shared = { source, app, tz: zone, from, to };
  const line = event ? { event, fill: "zero", limit: ROWS } : { top: TOP, fill: "zero" };
  const asked = [pages({ ...shared, ...line, step }, signal)];
  if (!event) asked.push(pages({ ...shared, step: "total", limit: ROWS }, signal));
  const [lines, totals] = await Promise.all(asked);
  const failed = [lines, totals].find((one) => one?.problem);
  if (failed) return failed;
  return { ...lines, ...arrange(lines.rows, totals?.rows ?? null), more: lines.more || Boolean(totals?.more) };
}

/**
 * `{axis (ms), lines: [{event, total, values}], totals: [{event, total}], total}`: the largest first, `(other)` last.
 * A line of nothing is left out: with fill=zero the console has one also for other events that don't exist.
 */
export function arrange(rows, totalRows) {
  const axis = [...new Set(rows.map((row) => Date.parse(row.at)))].sort((a, b) => a - b);
  const place = new Map(axis.map((at, index) => [at, index]));
  const events = new Map();
  for (const { at, event, count } of rows) {
    if (!events.has(event)) events.set(event, { event, total: 0, values: new Array(axis.length).fill(0) });
    const one = events.get(event);
    one.total += count;
    one.values[place.get(Date.parse(at))] += count;
  }
  const lines = [...events.values()].filter((one) => one.total > 0).sort(largestFirst);
  const totals = totalRows === null ? lines : totalRows.map((row) => ({ event: row.event, total: row.count }));
  return { axis, lines, totals: [...totals].sort(largestFirst), total: lines.reduce((sum, one) => sum + one.total, 0) };
}

const largestFirst = (a, b) =>
  (a.event === OTHER) - (b.event === OTHER) || b.total - a.total || (a.event < b.event ? -1 : 1);
