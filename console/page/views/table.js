// A table that can be sorted, shows its first rows, and on a narrow screen writes each row as a card. The roles are
// written out: a table that CSS lays out as blocks loses its own in some browsers.

import { count } from "../lib/format.js";
import { html, useState } from "../lib/ui.js";

const ascending = (a, b) => (a === b ? 0 : a === null || a === undefined ? -1 : b === null || b === undefined ? 1 : a < b ? -1 : 1);

function sorted(rows, columns, by) {
  const column = by && columns.find((one) => one.key === by.key);
  if (!column) return rows;
  const found = [...rows].sort((a, b) => ascending(column.sort(a), column.sort(b)));
  return by.down ? found.reverse() : found;
}

function Head({ column, by, setBy }) {
  const classes = column.number ? "number" : undefined;
  if (!column.sort) return html`<th role="columnheader" scope="col" class=${classes}>${column.label}</th>`;
  const active = by?.key === column.key;
  const order = active ? (by.down ? "descending" : "ascending") : "none";
  const turn = () => setBy(active ? { ...by, down: !by.down } : { key: column.key, down: Boolean(column.number) });
  return html`<th role="columnheader" scope="col" class=${classes} aria-sort=${order}>
    <button type="button" class="sort" onClick=${turn}>
      ${column.label}<span class="sort-mark" aria-hidden="true">${active ? (by.down ? "↓" : "↑") : "↕"}</span>
    </button>
  </th>`;
}

const Cell = ({ column, row }) =>
  html`<td role="cell" data-label=${column.label} class=${column.number ? "number" : column.kind}>
    <div class="cell">${column.cell(row)}</div>
  </td>`;

/** `columns`: {key, label, cell(row), sort(row)?, number?, kind?}. `first`: rows shown until all are asked for. */
export function Table({ caption, columns, rows, rowKey, rowClass, first = 50 }) {
  const [by, setBy] = useState(null);
  const [all, setAll] = useState(false);
  const shown = sorted(rows, columns, by);
  const cut = all ? shown : shown.slice(0, first);
  return html`<div class="table-frame">
    <table role="table">
      <caption class="hidden">${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">${columns.map((column) => html`<${Head} key=${column.key} ...${{ column, by, setBy }} />`)}</tr>
      </thead>
      <tbody role="rowgroup">
        ${cut.map(
          (row) => html`<tr role="row" key=${rowKey(row)} class=${rowClass?.(row)}>
            ${columns.map((column) => html`<${Cell} key=${column.key} ...${{ column, row }} />`)}
          </tr>`,
        )}
      </tbody>
    </table>
    ${shown.length > cut.length &&
    html`<p class="more">
      <span>${count(cut.length)} of ${count(shown.length)} shown</span>
      <button type="button" class="small" onClick=${() => setAll(true)}>Show all ${count(shown.length)}</button>
    </p>`}
  </div>`;
}
