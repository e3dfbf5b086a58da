// A plain table from columns.
import type { ComponentChildren } from 'preact';
import { Empty } from './basics';

export interface Column<T> {
  title: string;
  cell: (item: T) => ComponentChildren;
  num?: boolean;
}

export function DataTable<T>(props: { label: string; items: T[]; columns: Column<T>[]; id: (item: T) => string | number; empty: string }) {
  if (props.items.length === 0) return <Empty>{props.empty}</Empty>;
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={props.label}>
      <table>
        <thead>
          <tr>
            {props.columns.map((column) => (
              <th key={column.title} scope="col" class={column.num ? 'num' : ''}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.items.map((item) => (
            <tr key={props.id(item)}>
              {props.columns.map((column) => (
                <td key={column.title} class={column.num ? 'num' : ''}>
                  {column.cell(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
