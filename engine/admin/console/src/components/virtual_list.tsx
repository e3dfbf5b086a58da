// A table of any length: only the rows in sight are in the document. Arrow keys, j and k move; Enter opens; x or space chooses.
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

const kSpare = 8; // rows drawn above and below what is in sight

export function VirtualList<T>(props: {
  label: string;
  items: T[];
  rowHeight: number;
  head: VNode;
  columns: string; // grid-template-columns
  id: (item: T) => string | number;
  row: (item: T) => ComponentChildren;
  onOpen: (item: T) => void;
  onChoose?: (item: T) => void;
  onEnd?: () => void;
  isChosen?: (item: T) => boolean;
}) {
  const { items, rowHeight } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [current, setCurrent] = useState(0);
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const watch = new ResizeObserver(() => setHeight(element.clientHeight));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top / rowHeight) - kSpare);
  const last = Math.min(items.length, Math.ceil((top + height) / rowHeight) + kSpare);
  useEffect(() => {
    if (last >= items.length - kSpare) props.onEnd?.();
  }, [last, items.length]);
  const move = (to: number) => {
    const next = Math.max(0, Math.min(items.length - 1, to));
    setCurrent(next);
    const element = box.current;
    if (!element) return;
    const head = rowHeight;
    if (next * rowHeight < element.scrollTop) element.scrollTop = next * rowHeight;
    if ((next + 1) * rowHeight + head > element.scrollTop + element.clientHeight) element.scrollTop = (next + 1) * rowHeight + head - element.clientHeight;
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.target !== box.current) return;
    const page = Math.max(1, Math.floor(height / rowHeight) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -items.length, End: items.length };
    const step = steps[event.key];
    const item = items[current];
    if (step !== undefined) move(current + step);
    else if (event.key === 'Enter' && item) props.onOpen(item);
    else if ((event.key === 'x' || event.key === ' ') && item && props.onChoose) props.onChoose(item);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const style = { gridTemplateColumns: props.columns };
  return (
    <div
      ref={box}
      class="list"
      role="grid"
      id="list"
      aria-label={props.label}
      aria-rowcount={items.length + 1}
      aria-activedescendant={items.length > 0 ? `row-${current}` : undefined}
      tabIndex={0}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      onKeyDown={onKey}
    >
      <div class="list-row list-head" role="row" aria-rowindex={1} style={{ ...style, height: `${rowHeight}px` }}>
        {props.head}
      </div>
      <div role="rowgroup" style={{ height: `${items.length * rowHeight}px`, position: 'relative' }}>
        {items.slice(first, last).map((item, n) => {
          const index = first + n;
          return (
            <div
              key={props.id(item)}
              id={`row-${index}`}
              role="row"
              aria-rowindex={index + 2}
              aria-selected={props.isChosen?.(item) ?? false}
              class={`list-row${index === current ? ' current' : ''}${props.isChosen?.(item) ? ' chosen' : ''}`}
              style={{ ...style, position: 'absolute', top: `${index * rowHeight}px`, height: `${rowHeight}px`, left: 0, right: 0 }}
              onClick={(event) => {
                setCurrent(index);
                if (!(event.target instanceof HTMLInputElement) && !(event.target instanceof HTMLAnchorElement)) props.onOpen(item);
              }}
            >
              {props.row(item)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
