import { HttpClient, provideHttpClient } from "@angular/common/http";
import { Component, inject } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { doesSessionExist, getUserId, init, signOut, type SessionEvent } from "passerby";
import { firstValueFrom } from "rxjs";

const events: string[] = [];
const onHandleEvent = (event: SessionEvent): void => void events.push(event.action);
init({ apiDomain: location.origin, anonymous: {}, onHandleEvent });

@Component({ selector: "app-root", template: "" })
class App {
  readonly #http = inject(HttpClient);

  constructor() {
    const request = (method: string, url: string, body?: unknown): unknown =>
      firstValueFrom(this.#http.request(method, url, { body, observe: "response" }));
    Object.assign(window, { app: { events, doesSessionExist, getUserId, signOut, request } });
  }
}

bootstrapApplication(App, { providers: [provideHttpClient()] });
