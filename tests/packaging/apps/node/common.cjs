const passerby = require("passerby");
const claims = require("passerby/lib/build/claims/primitiveClaim");
const { default: Session } = require("passerby/recipe/session");

void report(passerby, Session, claims);
