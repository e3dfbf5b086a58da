// A chart over time (uPlot, loaded when first needed). Its numbers are read out as text too.
import { useEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { useStore } from '../store';
import { theme } from '../theme';

export interface Line {
  label: string;
  values: number[];
  color: '--accent' | '--ok' | '--warn' | '--bad';
}

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function clock(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

function options(lines: Line[], width: number, height: number, unit: string): uPlot.Options {
  const axis = { stroke: color('--text-2'), grid: { stroke: color('--line-soft'), width: 1 }, ticks: { stroke: color('--line-soft'), width: 1 } };
  return {
    width,
    height,
    cursor: { drag: { x: false, y: false } },
    legend: { live: true },
    axes: [{ ...axis, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => `${tick}${unit}`) }],
    scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1)] } },
    series: [
      { label: 'time', value: (_, at) => (at === null ? '–' : clock(at)) },
      ...lines.map((line) => ({ label: line.label, stroke: color(line.color), width: 1.5, points: { show: false } })),
    ],
  };
}

export function Chart(props: { label: string; from: number; step: number; lines: Line[]; unit?: string; height?: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shade = useStore(theme);
  const { lines, from, step, height = 160, unit = '' } = props;
  const length = Math.max(...lines.map((line) => line.values.length), 0);
  const data: uPlot.AlignedData = [Array.from({ length }, (_, n) => from + n * step), ...lines.map((line) => line.values)];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    let ended = false;
    let watch: ResizeObserver | null = null;
    void Promise.all([import('uplot'), import('uplot/dist/uPlot.min.css')]).then(([{ default: Plot }]) => {
      const place = box.current;
      if (ended || !place) return;
      plot.current = new Plot(options(lines, place.clientWidth, height, unit), latest.current, place);
      watch = new ResizeObserver(() => plot.current?.setSize({ width: place.clientWidth, height }));
      watch.observe(place);
    });
    return () => {
      ended = true;
      watch?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shade, height, lines.map((line) => line.label).join()]);
  useEffect(() => plot.current?.setData(data), [data]);
  const spoken = lines.map((line) => `${line.label} ${line.values.at(-1)?.toFixed(1) ?? 'none'}${unit}`).join(', ');
  return <div class="chart" ref={box} role="img" aria-label={`${props.label}: now ${spoken}`} />;
}
