// Addresses are "#/page/part?name=value". They stay behind the hash, so that a search for a patient is in no server's log.
import { useStore, Store } from './store';

export interface Route {
  page: string;
  parts: string[];
  query: URLSearchParams;
}

function readRoute(): Route {
  const text = location.hash.replace(/^#\/?/, '');
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  const [page = '', ...parts] = path.split('/').map((one) => {
    try {
      return decodeURIComponent(one);
    } catch {
      return one;
    }
  });
  return { page: page || 'dashboard', parts, query: new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1)) };
}

const route = new Store<Route>(readRoute());
addEventListener('hashchange', () => route.set(readRoute()));

export const useRoute = (): Route => useStore(route);

export function link(page: string, parts: (string | number)[] = [], query: Record<string, string | number | undefined> = {}): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return `#/${[page, ...parts].map((one) => encodeURIComponent(String(one))).join('/')}${search ? `?${search}` : ''}`;
}

export function go(address: string): void {
  location.hash = address;
}

/** Changes the address without a new entry in the history. */
export function replace(address: string): void {
  history.replaceState(null, '', address);
  route.set(readRoute());
}
