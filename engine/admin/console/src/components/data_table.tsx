// A plain table from columns; on a phone each row is a card with the titles beside its values.
import type { ComponentChildren } from 'preact';
import { Empty } from './basics';

export interface Column<T> {
  title: string;
  cell: (item: T) => ComponentChildren;
  num?: boolean;
}

/** An empty cell stays empty, so that a card leaves it out. */
function Cell(props: { title: string; num: boolean; content: ComponentChildren }) {
  const { content } = props;
  const isEmpty = content === null || content === undefined || content === '' || content === false;
  return (
    <td role="cell" data-title={props.title} class={props.num ? 'num' : ''}>
      {isEmpty ? null : <div>{content}</div>}
    </td>
  );
}

export function DataTable<T>(props: {
  label: string;
  items: T[];
  columns: Column<T>[];
  id: (item: T) => string | number;
  empty: string;
  chosen?: ReadonlySet<string | number>;
  onChoose?: (ids: Set<string | number>) => void; // adds a box before each row, and one for all of them
}) {
  const { items, chosen, onChoose } = props;
  if (items.length === 0) return <Empty>{props.empty}</Empty>;
  const all = chosen !== undefined && items.every((item) => chosen.has(props.id(item)));
  const toggle = (item: T) => {
    const next = new Set(chosen);
    if (!next.delete(props.id(item))) next.add(props.id(item));
    onChoose?.(next);
  };
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={props.label}>
      <table class="cards" role="table">
        <thead role="rowgroup">
          <tr role="row">
            {onChoose ? (
              <th scope="col" role="columnheader">
                <input type="checkbox" aria-label="Choose all" checked={all} onChange={() => onChoose(all ? new Set() : new Set(items.map(props.id)))} />
              </th>
            ) : null}
            {props.columns.map((column) => (
              <th key={column.title} scope="col" role="columnheader" class={column.num ? 'num' : ''}>
                {column.title || <span class="hidden-text">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {items.map((item) => (
            <tr key={props.id(item)} role="row" class={chosen?.has(props.id(item)) ? 'chosen' : ''}>
              {onChoose ? (
                <td role="cell" data-title="Choose">
                  <input type="checkbox" aria-label={`Choose ${props.id(item)}`} checked={chosen?.has(props.id(item)) ?? false} onChange={() => toggle(item)} />
                </td>
              ) : null}
              {props.columns.map((column) => (
                <Cell key={column.title} title={column.title} num={column.num ?? false} content={column.cell(item)} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
