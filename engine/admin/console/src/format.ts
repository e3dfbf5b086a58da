// How times, sizes and counts look. Times are local with offset; UTC stands in the title of the element.

const two = (value: number) => String(value).padStart(2, '0');

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const sign = minutes < 0 ? '-' : '+';
  return `${sign}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
}

function parsed(text: string): Date | null {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? null : date;
}

export function dayText(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** 2026-11-23 02:10:33 +01:00 */
export function fullTime(text: string): string {
  const date = parsed(text);
  if (!date) return text;
  return `${dayText(date)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${offset(date)}`;
}

/** The clock time today, the date too on any other day. */
export function shortTime(text: string): string {
  const date = parsed(text);
  if (!date) return text;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return dayText(date) === dayText(new Date()) ? clock : `${dayText(date)} ${clock}`;
}

/** "14 min", "2 h 5 min", "3 d 4 h" */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return minutes < 10 && whole % 60 > 0 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return hours % 24 > 0 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${Math.floor(hours / 24)} d`;
}

/** Seconds from `text` to now; negative in the future. */
export function secondsSince(text: string): number {
  const date = parsed(text);
  return date ? (Date.now() - date.getTime()) / 1000 : 0;
}

export function relative(text: string): string {
  const seconds = secondsSince(text);
  if (Math.abs(seconds) < 1.5) return 'now';
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

const grouped = new Intl.NumberFormat('en-US');

export function count(value: number | undefined): string {
  return value === undefined ? '–' : grouped.format(value).replaceAll(',', '\u202f');
}

/** "1 message", "3 messages" */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function rate(perSecond: number | undefined): string {
  if (perSecond === undefined) return '–';
  if (perSecond === 0) return '0';
  return perSecond < 10 ? perSecond.toFixed(perSecond < 0.1 ? 2 : 1) : String(Math.round(perSecond));
}

export function millis(value: number | undefined): string {
  if (value === undefined) return '–';
  if (value < 10) return `${value.toFixed(1)} ms`;
  return value < 10_000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

/** "connect-failed: connect-failed: no route" says its code once. */
export function once(text: string): string {
  return text.replace(/(^|[\s,])([\w-]+)[:,] (?=\2: )/g, '$1');
}

/** "1 message waits", "3 messages wait" */
export function verb(value: number, one: string, many: string): string {
  return value === 1 ? one : many;
}

/** "3 / 41 ms"; nothing where nothing was delivered lately. */
export function latency(value: { p50: number; p99: number } | undefined): string {
  if (!value || value.p99 === 0) return '–';
  const digits = value.p99 < 10 ? 1 : 0;
  return `${value.p50.toFixed(digits)} / ${value.p99.toFixed(digits)} ms`;
}
