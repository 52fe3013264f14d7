"use client";

import { doesSessionExist, getSnapshot, getUserId, init, signOut, subscribe } from "passerby";
import { useSyncExternalStore } from "react";

if (typeof window !== "undefined") {
  const events = [];
  init({
    apiDomain: location.origin,
    anonymous: {},
    onHandleEvent: ({ action }) => events.push(action),
  });
  window.app = { events, doesSessionExist, getUserId, signOut };
}

const UNKNOWN = { state: "unknown" };

/** The server renders it too, with another state than the one that the browser knows. */
export function Session() {
  const { state, userId } = useSyncExternalStore(subscribe, getSnapshot, () => UNKNOWN);
  return <p id="who">{userId ?? state}</p>;
}
