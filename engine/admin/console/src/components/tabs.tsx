import { useEffect, useRef } from 'preact/hooks';

export interface Tab {
  name: string;
  title: string;
}

/** Left and right move between the tabs. */
export function Tabs(props: { tabs: Tab[]; open: string; label: string; onOpen: (name: string) => void }) {
  const box = useRef<HTMLDivElement>(null);
  // On a phone not all fit: the open one is always in sight.
  useEffect(() => box.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [props.open]);
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = props.tabs.findIndex((one) => one.name === props.open);
    const next = props.tabs[(at + step + props.tabs.length) % props.tabs.length];
    if (!next) return;
    props.onOpen(next.name);
    box.current?.querySelectorAll('button')[props.tabs.indexOf(next)]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={props.label} ref={box} onKeyDown={onKey}>
      {props.tabs.map((one) => (
        <button
          key={one.name}
          type="button"
          role="tab"
          id={`tab-${one.name}`}
          aria-selected={one.name === props.open}
          tabIndex={one.name === props.open ? 0 : -1}
          onClick={() => props.onOpen(one.name)}
        >
          {one.title}
        </button>
      ))}
    </div>
  );
}
