// From a snapshot to what the overview draws. Pure. Unknown stays null.

const known = (one) => one !== null && one !== undefined;
const all = (values) => values.length > 0 && values.every(known);

/** Unknown if a part of it is: a sum of what happens to be known would look like a fall. */
const sum = (values) => (all(values) ? values.reduce((total, one) => total + one, 0) : null);
const worst = (values) => (all(values) ? Math.max(...values) : null);

/** For latencies: an API where nothing happens has none. */
const worstKnown = (values) => (values.some(known) ? Math.max(...values.filter(known)) : null);

const APIS = ["games", "analytics"];

/** One line of the history, both APIs taken together by `how`. */
function together(history, field, how) {
  const lines = APIS.map((api) => history?.[api]?.[field]).filter(Boolean);
  return (history?.at ?? []).map((_, at) => how(lines.map((line) => line[at])));
}

/** What the tiles show of a snapshot. */
export function summary(snapshot) {
  const { topics, history } = snapshot;
  const of = (field) => topics.map((topic) => topic[field]);
  const visible = topics.map((topic) => topic.visible).filter(Boolean);
  const refused = Object.entries(snapshot.refusedPerSecond ?? {}).sort((a, b) => b[1] - a[1]);
  const lagging = topics.filter((topic) => known(topic.lagSeconds)).sort((a, b) => b.lagSeconds - a.lagSeconds)[0];
  return {
    accepted: { now: sum(of("acceptedPerSecond")), line: together(history, "accepted", sum) },
    counted: { now: sum(of("countedPerSecond")), line: together(history, "counted", sum) },
    p50: { now: worstKnown(visible.map((one) => one.p50)), line: together(history, "p50", worstKnown) },
    p99: { now: worstKnown(visible.map((one) => one.p99)), line: together(history, "p99", worstKnown) },
    lag: { now: worst(of("lagSeconds")), line: together(history, "lagSeconds", worst), where: whereIsWorst(lagging) },
    refused: { now: refused.length ? sum(refused.map(([, rate]) => rate)) : snapshot.refusedPerSecond ? 0 : null, causes: refused },
    open: sum(of("deadLettersOpen")),
  };
}

/** The partition that lags most, if one does: "games, partition 3". */
function whereIsWorst(topic) {
  if (!topic?.lagSeconds) return null;
  const partition = [...topic.partitions].sort((a, b) => (b.lagSeconds ?? -1) - (a.lagSeconds ?? -1))[0];
  return partition ? `${topic.api}, partition ${partition.partition}` : topic.api;
}

/** The observer calls a partition late from here on, so that the strip and the table say the same. */
export const LAGGING_SECONDS = 60;

/** How bad a partition is: 0 stopped, 1 without an owner, 2 lagging, 3 fine, 4 not known, 5 never used. */
export function standingOf({ stopped, owner, lagRecords, lagSeconds, lastFlush }) {
  if (stopped) return 0;
  if (lagRecords === null || lagSeconds === null) return 4;
  if (owner === null) return lagRecords > 0 || lastFlush ? 1 : 5;
  return lagSeconds > LAGGING_SECONDS ? 2 : 3;
}

/** The partitions of all topics, the worst first. */
export function worstFirst(topics) {
  const rows = topics.flatMap((topic) =>
    topic.partitions.map((one) => ({ ...one, api: topic.api, topic: topic.topic, standing: standingOf(one) })),
  );
  return rows.sort(
    (a, b) =>
      a.standing - b.standing ||
      (b.lagSeconds ?? -1) - (a.lagSeconds ?? -1) ||
      a.api.localeCompare(b.api) ||
      a.partition - b.partition,
  );
}

/** The points of a sparkline in a box of width x height; a gap where a value is unknown. */
export function sparkline(line, width, height, top = worstKnown(line) || 1) {
  const step = line.length > 1 ? width / (line.length - 1) : 0;
  const parts = [];
  let open = null;
  line.forEach((value, at) => {
    if (value === null || value === undefined) {
      open = null;
      return;
    }
    const point = [at * step, height - (Math.min(value, top) / top) * height];
    if (open) open.push(point);
    else parts.push((open = [point]));
  });
  return parts;
}

/** The terms of the balance, in the order in which they are read. */
export const FATES = [
  ["applied", "counted"],
  ["duplicate", "duplicate"],
  ["refused", "refused"],
  ["dead", "dead letters"],
  ["gaps", "gaps"],
  ["inFlight", "in flight"],
];
