/**
 * The one place where the shop meets Passerby: start it, write its events down, remember the
 * visitor's choice.
 */

import * as Passerby from "passerby";
import type { AfterSignOut } from "./api";
import { timeline, type Entry } from "./timeline";

const CONSENT_KEY = "sill.anonymous-sessions";

/**
 * Events after which the shop asks who is there now: the answer has to be the new state already.
 */
const ENDINGS = new Set(["UNAUTHORISED", "TOKEN_THEFT_DETECTED", "SIGN_OUT"]);

/** Events that may bring another payload. */
const SHOWS_PAYLOAD = new Set(["SESSION_CREATED", "ACCESS_TOKEN_PAYLOAD_UPDATED", "SIGN_OUT"]);

/** Claims that every token has; the rest of a payload is the shop's. */
const CLAIMS_OF_THE_PROTOCOL = new Set(
  (
    "sub iat exp iss sessionHandle refreshTokenHash1 parentRefreshTokenHash1 antiCsrfToken " +
    "tId rsub stt " +
    "anonymousId isAnonymous"
  ).split(" "),
);

/** Call before anything else: once this returns, every `fetch` of the page carries the session. */
export function startSession(): void {
  Passerby.init({
    apiDomain: location.origin,
    apiBasePath: "/auth",
    anonymous: { enabled: anonymousSessionsWanted() },
    onHandleEvent: record,
  });
  // A demo is there to be played with: try `await passerby.isAnonymous()` in the console.
  Object.assign(window, { passerby: Passerby });
}

/** The visitor's choice, as a consent banner would keep it. */
export function anonymousSessionsWanted(): boolean {
  return localStorage.getItem(CONSENT_KEY) !== "off";
}

export async function switchAnonymousSessions(enabled: boolean): Promise<void> {
  localStorage.setItem(CONSENT_KEY, enabled ? "on" : "off");
  await Passerby.setAnonymousSessions(enabled);
}

/** {@link Passerby.Snapshot} with what only some states have as optional. */
export interface Visitor {
  state: Passerby.Snapshot["state"];
  userId?: string;
  anonymousId?: string;
  /** Epoch milliseconds. */
  expiresAt?: number;
  payload?: Record<string, unknown>;
}

/** The visitor of now. */
export const visitor = (): Visitor => Passerby.getSnapshot();

/** The shop's own data in the session, as JSON. Empty where it put nothing. */
export function shopsPayload(): string {
  const entries = Object.entries(visitor().payload ?? {}).filter(
    ([name]) => !CLAIMS_OF_THE_PROTOCOL.has(name),
  );
  return entries.length === 0 ? "" : JSON.stringify(Object.fromEntries(entries));
}

/** The fate of the anonymousId at sign-out, as this visitor chose. */
export function afterSignOut(): AfterSignOut {
  return visitor().payload?.["afterSignOut"] === "rotate" ? "rotate" : "keep";
}

/** The name a customer signed in with, which the server put into the access token's payload. */
export function customerName(): string | undefined {
  const { state, userId, payload } = visitor();
  if (state !== "authenticated") return undefined;
  const name = payload?.["name"];
  return typeof name === "string" ? name : userId;
}

/** Calls back now and whenever somebody else is there, or the same person in another state. */
export function onVisitorChange(listener: () => void): void {
  const identity = () => {
    const { state, userId, anonymousId } = visitor();
    return [state, userId, anonymousId].join(" ");
  };
  let before = identity();
  listener();
  Passerby.subscribe(() => {
    const now = identity();
    if (now === before) return;
    before = now;
    listener();
  });
}

function record(event: Passerby.SessionEvent): void {
  const { state, anonymousId } = visitor();
  const payload = SHOWS_PAYLOAD.has(event.action) ? shopsPayload() : "";
  const entry: Entry = {
    at: Date.now(),
    page: location.pathname,
    action: event.action,
    state,
    ...(anonymousId !== undefined && { anonymousId }),
    ...(payload !== "" && { payload }),
    ...(event.action === "UNAUTHORISED" && { expiredOrRevoked: event.sessionExpiredOrRevoked }),
  };
  timeline.add(entry);
  if (ENDINGS.has(event.action)) {
    Promise.all([Passerby.doesSessionExist(), Passerby.isAnonymous()]).then(
      ([exists, anonymous]) => timeline.answer(entry, { exists, anonymous }),
      (error: unknown) => console.error("Asking for the session inside the callback failed", error),
    );
  }
}
