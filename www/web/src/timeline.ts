/**
 * The events of this tab's session, kept over page loads so that a redirect does not hide how one
 * got here.
 */

export interface Entry {
  /** Epoch milliseconds. */
  at: number;
  page: string;
  action: string;
  /** The session's state when the event was fired, which is the state after it. */
  state: string;
  anonymousId?: string;
  /** The shop's own data in the session, as JSON, where the event may have changed it. */
  payload?: string;
  /** `sessionExpiredOrRevoked` of `UNAUTHORISED`. */
  expiredOrRevoked?: boolean;
  /** The answers of `doesSessionExist()` and `isAnonymous()` inside of the callback. */
  answers?: { exists: boolean; anonymous: boolean };
}

const KEY = "sill.timeline.1";
const LIMIT = 60;
const listeners = new Set<() => void>();
let entries: Entry[] = load();

export const timeline = {
  /** Newest first. */
  entries: (): readonly Entry[] => entries,

  add(entry: Entry): void {
    entries = [entry, ...entries].slice(0, LIMIT);
    changed();
  },

  /** For answers that arrive after the entry was made. */
  answer(entry: Entry, answers: { exists: boolean; anonymous: boolean }): void {
    entry.answers = answers;
    changed();
  },

  clear(): void {
    entries = [];
    changed();
  },

  subscribe(listener: () => void): void {
    listeners.add(listener);
  },
};

function changed(): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(entries));
  } catch {
    // Storage may be full or blocked: then the list lives as long as the page.
  }
  for (const listener of listeners) listener();
}

function load(): Entry[] {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(stored) ? (stored as Entry[]) : [];
  } catch {
    return [];
  }
}
