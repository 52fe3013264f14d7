import * as passerby from "passerby";
import * as claims from "passerby/lib/build/claims/primitiveClaim";
import Session from "passerby/recipe/session";

await report(passerby, Session, claims);
