import { doesSessionExist, getUserId, init, signOut, type SessionEvent } from "passerby";

const events: string[] = [];
const onHandleEvent = (event: SessionEvent): void => void events.push(event.action);
init({ apiDomain: location.origin, anonymous: {}, onHandleEvent });
Object.assign(window, { app: { events, doesSessionExist, getUserId, signOut } });
