import {
  doesSessionExist,
  getAccessTokenPayloadSecurely,
  getSnapshot,
  getUserId,
  init,
} from "passerby";

export const start = () => init({ apiDomain: location.origin, anonymous: {} });
export const questions = {
  doesSessionExist,
  getUserId,
  getAccessTokenPayloadSecurely,
  getSnapshot,
};

/** A guest's first request is answered with the session. */
export const firstRequest = async () => (await fetch("/any")).text();
