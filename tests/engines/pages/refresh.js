import { init, refreshSessionPage } from "/passerby.js";

init({ apiDomain: location.origin });
void refreshSessionPage({ loginPath: "/login" });
